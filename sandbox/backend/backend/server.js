'use strict';

const app = require('./app');
const config = require('./config');
const db = require('./db');
const logger = require('./logger');
const { release } = require('./release');

const server = app.listen(config.port, '127.0.0.1', (error) => {
  if (error) {
    logger.error('server.failed', error);
    process.exit(1);
  }
  logger.plain(`${release} listens on 127.0.0.1:${config.port}`);
});

function stop(signal) {
  logger.plain(`${signal}: stopping`);
  server.close(() => db.close().finally(() => process.exit(0)));
  server.closeIdleConnections();
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
