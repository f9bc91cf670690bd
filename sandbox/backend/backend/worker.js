'use strict';

const fs = require('node:fs');
const config = require('./config');
const logger = require('./logger');
const { release } = require('./release');
const { runEventCompletionCheck } = require('./jobs/eventCompletionScheduler');

// Whoever reads it sees a whole heartbeat: it is renamed into its place.
function beat() {
  const said = JSON.stringify({ at: new Date().toISOString(), release, pid: process.pid });
  fs.writeFileSync(`${config.heartbeatFile}.new`, `${said}\n`);
  fs.renameSync(`${config.heartbeatFile}.new`, config.heartbeatFile);
}

async function check() {
  await runEventCompletionCheck().catch((error) => logger.error('worker.checkFailed', error));
  setTimeout(check, config.schedulerSeconds * 1000);
}

beat();
setInterval(beat, 1000);
if (config.schedulerSeconds) setTimeout(check, config.schedulerSeconds * 1000);
logger.plain(`worker of ${release} runs; it checks events every ${config.schedulerSeconds} s`);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    logger.plain(`${signal}: stopping`);
    process.exit(0);
  });
}
