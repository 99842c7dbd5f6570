// What `sandbox up` shows a person: what to type next is what can be done now.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderText } from '../../../src/cli/render/text.ts';
import { outcome } from '../../../src/cli/result.ts';

const sandbox = {
  directory: '/srv/s',
  configuration: '/srv/s/holdfast.yaml',
  temporal: { ui: 'http://127.0.0.1:8233' },
  postgres: { version: '18.6', port: 5432, bindir: '/opt/pg/bin' },
};
const shown = (more: object) =>
  renderText(outcome('message', { state: 'completed', sandbox: { ...sandbox, ...more } }), new Date()).split('\n');

test('of a sandbox that is ready the first steps are named', () => {
  const lines = shown({});
  assert.equal(lines[1], '  PostgreSQL     18.6 on port 5432, programs in /opt/pg/bin');
  assert.match(lines[5] ?? '', /^ {6}holdfast status, holdfast backup database main, /);
});

test('of one whose database server is left to a restore, it is called down, and that restore is looked at next', () => {
  const lines = shown({ postgresLeftTo: 'restore-3f9a1c2b' });
  assert.equal(lines[1], '  PostgreSQL     18.6 on port 5432 (down), programs in /opt/pg/bin');
  assert.equal(lines[5], '      holdfast show restore-3f9a1c2b');
});
