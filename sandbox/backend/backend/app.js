'use strict';

const express = require('express');
const health = require('./health');
const logger = require('./logger');
const events = require('./routes/events');
const { Conflict } = require('./repositories/eventRepository');

const app = express();
app.disable('x-powered-by');

app.get('/health', async (request, response) => {
  const found = await health();
  response.status(found.status === 'ok' ? 200 : 503).json(found);
});

app.use(express.json({ limit: '1mb' }));
app.use((request, response, next) => {
  const began = Date.now();
  response.on('finish', () => {
    const took = Date.now() - began;
    logger.plain(`${request.method} ${request.originalUrl} ${response.statusCode} ${took} ms`);
  });
  next();
});
app.use('/events', events);

// Express knows an error handler by its four parameters.
app.use((error, request, response, next) => {
  if (error instanceof Conflict) return response.status(409).json({ error: error.message });
  if (response.headersSent) return next(error);
  if (error.status < 500) return response.status(error.status).json({ error: error.message });
  logger.error('request.failed', error, { method: request.method, url: request.originalUrl });
  return response.status(500).json({ error: 'something went wrong' });
});

module.exports = app;
