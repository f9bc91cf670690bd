'use strict';

const Stage = require('../testing/stage');
const events = require('../repositories/eventRepository');
const { runEventCompletionCheck } = require('../jobs/eventCompletionScheduler');

const stage = new Stage();
let members;
let member;
let staff;

beforeAll(async () => {
  await stage.open();
  jest.spyOn(console, 'log').mockImplementation(() => {});
  members = await stage.makeUsers(520);
  [member] = members;
  [staff] = await stage.makeUsers(1, 'staff');
});

afterAll(() => stage.close());

// Every row that was flagged is absent and has exactly one audit row; nothing else is.
async function expectFlagged(event, count) {
  const flagged = (await stage.participants(event)).filter(
    (row) => row.attendance_status === 'absent',
  );
  const audit = await stage.audit(event);
  expect([flagged.length, audit.length]).toEqual([count, count]);
  expect(audit.map((row) => row.participant_id)).toEqual(flagged.map((row) => row.participant_id));
  for (const row of audit) {
    expect(row).toMatchObject({
      action: 'mark_absent',
      previous_status: 'unknown',
      new_status: 'absent',
      marked_by: null,
      dedupe_key: `auto-absent:${row.participant_id}`,
    });
  }
}

describe('auto-absence', () => {
  test('flags everybody who was registered and never marked, in batches', async () => {
    const event = await stage.makeEvent(members);
    const { status, json } = await stage.ask('POST', `/events/${event.uid}/auto-absence`, {
      user: staff,
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({ scanned: 520, flagged: 520, batches: 2 });
    await expectFlagged(event, 520);
  });

  test('leaves those alone who came, cancelled or wait', async () => {
    const statuses = ['registered', 'registered', 'cancelled', 'waitlisted', 'registered'];
    const event = await stage.makeEvent(members.slice(0, 5), (n) => statuses[n]);
    const [first] = await stage.participants(event);
    await events.checkInParticipant({
      eventId: event.event_id, participantId: first.participant_id, actorId: staff.user_id,
    });
    const summary = await events.autoFlagAbsences({ eventId: event.event_id });
    expect(summary).toMatchObject({
      scanned: 3, flagged: 2, skipped: { dedupe: 0, already_absent: 0, other: 1 },
    });
    const after = await stage.participants(event);
    expect(after.map((row) => row.attendance_status)).toEqual(
      ['present', 'absent', 'unknown', 'unknown', 'absent'],
    );
  });

  test('flags nobody a second time', async () => {
    const event = await stage.makeEvent(members.slice(0, 3));
    await events.autoFlagAbsences({ eventId: event.event_id });
    const again = await events.autoFlagAbsences({ eventId: event.event_id });
    expect(again).toMatchObject({ flagged: 0, skipped: { already_absent: 3 } });
    const [first] = await stage.participants(event);
    await events.patchAttendance({
      eventId: event.event_id, participantId: first.participant_id, actorId: staff.user_id,
      status: 'unknown', reason: 'was there after all',
    });
    const third = await events.autoFlagAbsences({ eventId: event.event_id });
    expect(third).toMatchObject({ flagged: 0, skipped: { dedupe: 1, already_absent: 2 } });
  });

  test('has nothing to do for an event without participants', async () => {
    const event = await stage.makeEvent([]);
    const summary = await events.autoFlagAbsences({ eventId: event.event_id });
    expect(summary).toMatchObject({ scanned: 0, flagged: 0, batches: 0 });
  });

  test('is for staff only', async () => {
    const event = await stage.makeEvent([]);
    const path = `/events/${event.uid}/auto-absence`;
    expect((await stage.ask('POST', path)).status).toBe(401);
    expect((await stage.ask('POST', path, { user: member })).status).toBe(403);
  });

  test('runs when the scheduler completes an event', async () => {
    const event = await stage.makeEvent(members.slice(0, 2));
    const done = await runEventCompletionCheck({ eventUid: event.uid });
    expect(done).toEqual([
      { event: event.uid, summary: expect.objectContaining({ scanned: 2, flagged: 2 }) },
    ]);
    expect(await events.findEvent(event.uid)).toMatchObject({ status: 'completed' });
    await expectFlagged(event, 2);
    const lines = console.log.mock.calls.map(([line]) => line);
    const summary = lines.find((line) => line.includes('EventCompletionScheduler.autoAbsenceSummary'));
    expect(JSON.parse(summary)).toMatchObject({ event: event.uid, summary: { flagged: 2 } });
  });
});
