'use strict';

const Stage = require('../testing/stage');

const stage = new Stage();
let event;
let staff;
let path;

beforeAll(async () => {
  await stage.open();
  jest.spyOn(console, 'log').mockImplementation(() => {});
  jest.spyOn(console, 'error').mockImplementation(() => {});
  [staff] = await stage.makeUsers(1, 'staff');
});

beforeEach(async () => {
  event = await stage.makeEvent(await stage.makeUsers(1));
  const [{ participant_id: id }] = await stage.participants(event);
  path = `/events/${event.uid}/participants/${id}`;
});

afterAll(() => stage.close());

describe('attendance', () => {
  test('a check-in is recorded with who did it', async () => {
    const { json } = await stage.ask('POST', `${path}/check-in`, { user: staff });
    expect(json).toEqual({ changed: true, attendance_status: 'present' });
    const [participant] = await stage.participants(event);
    expect(participant).toMatchObject({
      attendance_status: 'present', attendance_marked_by: staff.user_id,
    });
    expect(await stage.audit(event)).toMatchObject([
      { action: 'check_in', previous_status: 'unknown', new_status: 'present' },
    ]);
  });

  test('a second check-in changes nothing and is not recorded', async () => {
    await stage.ask('POST', `${path}/check-in`, { user: staff });
    const { json } = await stage.ask('POST', `${path}/check-in`, { user: staff });
    expect(json).toEqual({ changed: false, attendance_status: 'present' });
    expect(await stage.audit(event)).toHaveLength(1);
  });

  test('a correction appends to the notes', async () => {
    for (const notes of ['came late', 'left early']) {
      await stage.ask('PATCH', `${path}/attendance`, { user: staff, body: { status: 'late', notes } });
    }
    const [participant] = await stage.participants(event);
    expect(participant.attendance_notes).toBe('came late\nleft early');
    expect((await stage.audit(event)).map((row) => row.action)).toEqual(['correction', 'correction']);
  });

  test('nothing is changed when the audit row cannot be written', async () => {
    const reason = 'x'.repeat(70000);
    const { status } = await stage.ask('POST', `${path}/check-in`, { user: staff, body: { reason } });
    expect(status).toBe(500);
    const [participant] = await stage.participants(event);
    expect(participant).toMatchObject({ attendance_status: 'unknown', attendance_marked_at: null });
    expect(await stage.audit(event)).toEqual([]);
  });
});
