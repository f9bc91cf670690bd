'use strict';

// `git archive` writes the commit into release.json; without it the commit is not known.
const { release, commit } = require('./release.json');

module.exports = { release, commit: commit.startsWith('$') ? null : commit };
