'use strict';

const events = require('../repositories/eventRepository');

const STATUSES = ['unknown', 'present', 'late', 'absent'];

function call(request) {
  return {
    eventId: request.event.event_id,
    participantId: Number(request.params.participantId),
    actorId: request.user.user_id,
    reason: request.body?.reason ?? null,
  };
}

function answer(response, result) {
  if (!result) return response.status(404).json({ error: 'no such participant' });
  return response.json(result);
}

async function loadEvent(request, response, next) {
  request.event = await events.findEvent(request.params.uid);
  return request.event ? next() : response.status(404).json({ error: 'no such event' });
}

async function checkIn(request, response) {
  const status = request.body?.status ?? 'present';
  if (!['present', 'late'].includes(status)) {
    return response.status(400).json({ error: 'status is present or late' });
  }
  return answer(response, await events.checkInParticipant({ ...call(request), status }));
}

async function patchAttendance(request, response) {
  const { status, notes } = request.body ?? {};
  if (status !== undefined && !STATUSES.includes(status)) {
    return response.status(400).json({ error: `status is one of ${STATUSES.join(', ')}` });
  }
  return answer(response, await events.patchAttendance({ ...call(request), status, notes }));
}

async function autoFlagAbsences(request, response) {
  response.json(await events.autoFlagAbsences({ eventId: request.event.event_id }));
}

module.exports = { loadEvent, checkIn, patchAttendance, autoFlagAbsences };
