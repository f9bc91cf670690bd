'use strict';

const mysql = require('mysql2/promise');
const config = require('./config');

let pool = null;

function open() {
  if (!pool) {
    pool = mysql.createPool({ ...config.database, connectionLimit: 5 });
    pool.pool.on('connection', (connection) => connection.query("SET time_zone = '+00:00'"));
  }
  return pool;
}

async function query(sql, values) {
  const [rows] = await open().query(sql, values);
  return rows;
}

// Everything that `work` does with the connection happens, or nothing of it.
async function transaction(work) {
  const connection = await open().getConnection();
  try {
    await connection.beginTransaction();
    const result = await work(connection);
    await connection.commit();
    return result;
  } catch (error) {
    await connection.rollback().catch(() => {});
    throw error;
  } finally {
    connection.release();
  }
}

async function close() {
  const closing = pool;
  pool = null;
  await closing?.end();
}

module.exports = { query, transaction, close, isOpen: () => pool !== null };
