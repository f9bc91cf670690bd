'use strict';

// What programs read is a JSON line with an `op`; what people read is a plain line.
function line(level, op, fields) {
  return JSON.stringify({ time: new Date().toISOString(), level, op, ...fields });
}

module.exports = {
  info(op, fields = {}) {
    console.log(line('info', op, fields));
  },

  plain(text) {
    console.log(`${new Date().toISOString()} ${text}`);
  },

  // The stack follows as plain lines, as `console.error(error)` would print it.
  error(op, error, fields = {}) {
    console.error(line('error', op, { ...fields, code: error.code, message: error.message }));
    console.error(error.stack);
  },
};
