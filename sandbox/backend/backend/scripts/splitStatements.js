'use strict';

// Cuts at every semicolon outside quotes. It knows neither comments nor DELIMITER, and
// passes over a statement that begins with a -- comment: the runner that the migrations
// of this application have to get along with.
function splitStatements(sql) {
  const statements = [''];
  let quote = null;
  for (const char of sql) {
    if (char === ';' && !quote) {
      statements.push('');
      continue;
    }
    if (char === quote) quote = null;
    else if (!quote && "'\"`".includes(char)) quote = char;
    statements[statements.length - 1] += char;
  }
  return statements.map((text) => text.trim()).filter((text) => text && !text.startsWith('--'));
}

module.exports = splitStatements;
