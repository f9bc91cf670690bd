'use strict';

const db = require('../db');
const logger = require('../logger');

const BATCH = 500;

class Conflict extends Error {}

async function findEvent(uid) {
  const [event] = await db.query(
    'SELECT event_id, uid, title, status, end_datetime FROM events WHERE uid = ?',
    [uid],
  );
  return event;
}

// Events whose end has passed and that nobody has completed; one of them, if `uid` is given.
async function findDueEvents(uid) {
  const only = uid === undefined ? '' : ' AND uid = ?';
  return db.query(
    `SELECT event_id, uid, title FROM events
     WHERE status IN ('published', 'ongoing') AND end_datetime <= UTC_TIMESTAMP()${only}
     ORDER BY end_datetime, event_id`,
    uid === undefined ? [] : [uid],
  );
}

// Says whether it was us who completed it: another worker may have been quicker.
async function completeEvent(eventId) {
  const done = await db.query(
    "UPDATE events SET status = 'completed' WHERE event_id = ? AND status IN ('published', 'ongoing')",
    [eventId],
  );
  return done.affectedRows === 1;
}

async function hasAttendance() {
  const found = await db.query(
    `SELECT 1 FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'event_participants'
       AND COLUMN_NAME = 'attendance_updated_at'`,
  );
  return found.length > 0;
}

async function audit(connection, rows, { ignore = false } = {}) {
  const columns =
    'event_id, participant_id, user_id, marked_by, action, previous_status, new_status, reason, ' +
    'dedupe_key, performed_at';
  await connection.query(
    `INSERT ${ignore ? 'IGNORE ' : ''}INTO event_attendance_audit (${columns}) VALUES ?`,
    [rows],
  );
}

// Sets a participant's attendance and writes the audit row, in one transaction.
// `change` is given the participant and returns what is to be set, or null for nothing.
async function mark({ eventId, participantId, actorId, action, reason = null }, change) {
  return db.transaction(async (connection) => {
    const [[participant]] = await connection.query(
      'SELECT * FROM event_participants WHERE event_id = ? AND participant_id = ? FOR UPDATE',
      [eventId, participantId],
    );
    if (!participant) return null;
    const previous = participant.attendance_status ?? 'unknown';
    const wanted = change({ ...participant, attendance_status: previous });
    if (!wanted) return { changed: false, attendance_status: previous };
    const now = new Date();
    await connection.query(
      `UPDATE event_participants SET attendance_status = ?, attendance_notes = ?,
         attendance_marked_at = ?, attendance_marked_by = ?, attendance_updated_at = ?
       WHERE participant_id = ?`,
      [wanted.status, wanted.notes, now, actorId, now, participantId],
    );
    await audit(connection, [
      [eventId, participantId, participant.user_id, actorId, action, previous, wanted.status,
        reason, null, now],
    ]);
    return { changed: true, attendance_status: wanted.status };
  });
}

async function checkInParticipant({ status = 'present', ...call }) {
  return mark({ ...call, action: 'check_in' }, (participant) => {
    if (participant.status === 'cancelled') throw new Conflict('the registration was cancelled');
    if (participant.attendance_status === status) return null;
    return { status, notes: participant.attendance_notes };
  });
}

async function patchAttendance({ status, notes, ...call }) {
  return mark({ ...call, action: 'correction' }, (participant) => ({
    status: status ?? participant.attendance_status,
    notes: [participant.attendance_notes, notes].filter(Boolean).join('\n') || null,
  }));
}

// Marks everybody absent who was registered and never marked, 500 in a transaction.
async function autoFlagAbsences({ eventId, batchSize = BATCH }) {
  const began = Date.now();
  const summary = {
    scanned: 0,
    flagged: 0,
    skipped: { dedupe: 0, already_absent: 0, other: 0 },
    batches: 0,
  };
  logger.info('autoFlagAbsences.start', { eventId, batchSize });
  for (let last = 0, full = true; full; ) {
    const batch = await db.transaction((connection) =>
      flagBatch(connection, eventId, last, batchSize),
    );
    if (batch.scanned) {
      summary.batches += 1;
      summary.scanned += batch.scanned;
      summary.flagged += batch.flagged;
      for (const why of Object.keys(summary.skipped)) summary.skipped[why] += batch.skipped[why];
      logger.info('autoFlagAbsences.batch', { eventId, batch: summary.batches, ...batch });
    }
    last = batch.last;
    full = batch.scanned === batchSize;
  }
  summary.durationMs = Date.now() - began;
  logger.info('autoFlagAbsences.summary', { eventId, ...summary });
  return summary;
}

async function flagBatch(connection, eventId, after, limit) {
  const [rows] = await connection.query(
    `SELECT participant_id, user_id, attendance_status FROM event_participants
     WHERE event_id = ? AND status = 'registered' AND participant_id > ?
     ORDER BY participant_id LIMIT ? FOR UPDATE`,
    [eventId, after, limit],
  );
  const unmarked = rows.filter((row) => (row.attendance_status ?? 'unknown') === 'unknown');
  const keys = unmarked.map((row) => `auto-absent:${row.participant_id}`);
  const [known] = keys.length
    ? await connection.query(
        'SELECT dedupe_key FROM event_attendance_audit WHERE dedupe_key IN (?)', [keys])
    : [[]];
  const before = new Set(known.map((row) => row.dedupe_key));
  const flagged = unmarked.filter((row) => !before.has(`auto-absent:${row.participant_id}`));
  if (flagged.length) await flag(connection, eventId, flagged);
  const absent = rows.filter((row) => row.attendance_status === 'absent').length;
  return {
    scanned: rows.length,
    flagged: flagged.length,
    skipped: {
      dedupe: before.size,
      already_absent: absent,
      other: rows.length - unmarked.length - absent,
    },
    last: rows.at(-1)?.participant_id ?? after,
  };
}

async function flag(connection, eventId, participants) {
  const now = new Date();
  await connection.query(
    `UPDATE event_participants SET attendance_status = 'absent', attendance_marked_at = ?,
       attendance_marked_by = NULL, attendance_updated_at = ?
     WHERE participant_id IN (?)`,
    [now, now, participants.map((row) => row.participant_id)],
  );
  const rows = participants.map((row) => [
    eventId, row.participant_id, row.user_id, null, 'mark_absent',
    row.attendance_status ?? 'unknown', 'absent', 'not marked when the event was completed',
    `auto-absent:${row.participant_id}`, now,
  ]);
  await audit(connection, rows, { ignore: true });
}

module.exports = {
  Conflict,
  findEvent,
  findDueEvents,
  completeEvent,
  hasAttendance,
  checkInParticipant,
  patchAttendance,
  autoFlagAbsences,
};
