'use strict';

const fs = require('node:fs');
const path = require('node:path');

const home = process.env.APP_HOME || path.resolve(__dirname, '..');

// KEY=value lines; the environment wins over the file.
function readEnvFile(file) {
  if (!fs.existsSync(file)) return {};
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const pairs = lines.map((line) => line.match(/^\s*([A-Z_]+)\s*=\s*(.*?)\s*$/)).filter(Boolean);
  return Object.fromEntries(pairs.map(([, key, value]) => [key, value]));
}

const settings = {
  ...readEnvFile(process.env.ENV_FILE || path.join(home, 'shared', '.env')),
  ...process.env,
};

function database(user, password) {
  return {
    host: settings.DB_HOST || '127.0.0.1',
    port: Number(settings.DB_PORT || 3306),
    database: settings.DB_NAME || 'vaulteer',
    user,
    password,
    charset: 'utf8mb4',
    timezone: 'Z',
    connectTimeout: 3000,
  };
}

const application = [settings.DB_USER, settings.DB_PASSWORD];

module.exports = {
  port: Number(settings.PORT || 5000),
  database: database(...application),
  // Migrations may need more rights than the application has.
  migrations: settings.MIGRATE_DB_USER
    ? database(settings.MIGRATE_DB_USER, settings.MIGRATE_DB_PASSWORD)
    : database(...application),
  schedulerSeconds: Number(settings.SCHEDULER_SECONDS ?? 60),
  heartbeatFile: settings.HEARTBEAT_FILE || path.join(home, 'run', 'worker.heartbeat'),
};
