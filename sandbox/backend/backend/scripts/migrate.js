'use strict';

const fs = require('node:fs');
const path = require('node:path');
const mysql = require('mysql2/promise');
const config = require('../config');
const logger = require('../logger');
const splitStatements = require('./splitStatements');

const folder = path.join(__dirname, '..', 'migrations');

// Runs every migration, every time: each says by itself what is left to do.
async function migrate() {
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const files = names.filter((name) => name.endsWith('.sql')).sort();
  const connection = await mysql.createConnection(config.migrations);
  try {
    for (const file of files) {
      const statements = splitStatements(fs.readFileSync(path.join(folder, file), 'utf8'));
      logger.plain(`migrate: ${file}, ${statements.length} statements`);
      for (const statement of statements) await connection.query(statement);
    }
  } finally {
    await connection.end();
  }
  logger.plain(`migrate: ${files.length} files done`);
}

migrate().catch((error) => {
  logger.error('migrate.failed', error);
  process.exitCode = 1;
});
