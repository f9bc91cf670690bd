'use strict';

const db = require('../db');
const logger = require('../logger');
const events = require('../repositories/eventRepository');

// Completes the events that have ended and marks who did not come. With `eventUid`
// only that event. Returns what was done, an item an event; an event that fails
// does not hold up the others, and is thrown at the end.
async function runEventCompletionCheck({ eventUid } = {}) {
  const ours = !db.isOpen();
  try {
    return await check(eventUid);
  } finally {
    if (ours) await db.close(); // else `node -e` would wait for the idle connections
  }
}

async function check(eventUid) {
  if (!(await events.hasAttendance())) {
    logger.plain('event completion: the attendance columns are not there yet, nothing is done');
    return [];
  }
  const due = await events.findDueEvents(eventUid);
  logger.plain(`event completion: ${due.length} events have ended`);
  const done = [];
  let failure = null;
  for (const event of due) {
    try {
      if (!(await events.completeEvent(event.event_id))) continue;
      logger.plain(`event completion: "${event.title}" is completed`);
      const summary = await events.autoFlagAbsences({ eventId: event.event_id });
      logger.info('EventCompletionScheduler.autoAbsenceSummary', { event: event.uid, summary });
      done.push({ event: event.uid, summary });
    } catch (error) {
      logger.error('EventCompletionScheduler.failed', error, { event: event.uid });
      failure ??= error;
    }
  }
  if (failure) throw failure;
  return done;
}

module.exports = { runEventCompletionCheck };
