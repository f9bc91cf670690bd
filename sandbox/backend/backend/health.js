'use strict';

const db = require('./db');
const { release, commit } = require('./release');

async function reachable() {
  await db.query({ sql: 'SELECT 1', timeout: 2000 });
}

// What is running here, and whether it can work.
async function health() {
  const about = { release, commit, pid: process.pid };
  try {
    await reachable();
    return { status: 'ok', ...about, database: 'reachable' };
  } catch (error) {
    return { status: 'ill', ...about, database: error.code || error.message };
  }
}

module.exports = health;
