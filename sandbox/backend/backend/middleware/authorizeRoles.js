'use strict';

const db = require('../db');

// Who asks: the gateway in front of us has authenticated them and says so in a header.
async function authenticate(request, response, next) {
  const uid = request.get('X-User-Uid');
  const [user] = uid
    ? await db.query('SELECT user_id, uid, role FROM users WHERE uid = ?', [uid])
    : [];
  if (!user) return response.status(401).json({ error: 'who are you?' });
  request.user = user;
  return next();
}

function authorizeRoles(...roles) {
  const check = (request, response, next) =>
    roles.includes(request.user.role)
      ? next()
      : response.status(403).json({ error: `only for ${roles.join(' and ')}` });
  return [authenticate, check];
}

module.exports = authorizeRoles;
