'use strict';

const { randomUUID } = require('node:crypto');
const app = require('../app');
const db = require('../db');

// Rows of our own in the real database, and the application listening on a port of its own.
class Stage {
  async open() {
    this.server = await new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve(server));
    });
    this.mark = randomUUID();
    this.users = [];
    this.events = [];
    return this;
  }

  async close() {
    if (this.events.length) {
      await db.query('DELETE FROM event_attendance_audit WHERE event_id IN (?)', [this.events]);
      await db.query('DELETE FROM event_participants WHERE event_id IN (?)', [this.events]);
      await db.query('DELETE FROM events WHERE event_id IN (?)', [this.events]);
    }
    if (this.users.length) await db.query('DELETE FROM users WHERE user_id IN (?)', [this.users]);
    await db.close();
    await new Promise((resolve) => this.server.close(resolve));
  }

  // Makes `count` users and returns them.
  async makeUsers(count, role = 'member') {
    const uids = Array.from({ length: count }, (_, n) => `${this.mark}-${this.users.length + n}`);
    await db.query('INSERT INTO users (uid, email, display_name, role) VALUES ?', [
      uids.map((uid) => [uid, `${uid}@example.test`, 'A test', role]),
    ]);
    const made = await db.query('SELECT user_id, uid FROM users WHERE uid IN (?)', [uids]);
    this.users.push(...made.map((user) => user.user_id));
    return made;
  }

  // Makes an event that has ended, with a participant for each user; `status` says how each is.
  async makeEvent(users, status = () => 'registered') {
    const uid = `${this.mark}-event-${this.events.length}`;
    const { insertId } = await db.query(
      `INSERT INTO events (uid, title, start_datetime, end_datetime, status) VALUES
        (?, 'A test', UTC_TIMESTAMP() - INTERVAL 3 HOUR, UTC_TIMESTAMP() - INTERVAL 1 HOUR, 'ongoing')`,
      [uid],
    );
    this.events.push(insertId);
    if (users.length) {
      await db.query('INSERT INTO event_participants (event_id, user_id, status) VALUES ?', [
        users.map((user, n) => [insertId, user.user_id, status(n)]),
      ]);
    }
    return { event_id: insertId, uid };
  }

  async participants(event) {
    return db.query(
      'SELECT * FROM event_participants WHERE event_id = ? ORDER BY participant_id',
      [event.event_id],
    );
  }

  async audit(event) {
    return db.query('SELECT * FROM event_attendance_audit WHERE event_id = ? ORDER BY id', [
      event.event_id,
    ]);
  }

  // Asks the application as `user`; returns the status and the answer's JSON.
  async ask(method, path, { user, body } = {}) {
    const response = await fetch(`http://127.0.0.1:${this.server.address().port}${path}`, {
      method,
      headers: {
        'Content-Type': 'application/json',
        ...(user ? { 'X-User-Uid': user.uid } : {}),
      },
      body: body && JSON.stringify(body),
    });
    return { status: response.status, json: await response.json() };
  }
}

module.exports = Stage;
