// What `status` says of a worker that did not answer: not more than is known, and which copies may be why.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentHost } from '../../../src/cli/silent-host.ts';
import type { CopyStatus } from '../../../src/domain/copies-report.ts';
import type { ErrorData } from '../../../src/errors/index.ts';

const late: ErrorData = { code: 'NO_WORKER', message: 'late', hint: '', details: { waitedSeconds: 5 } };
const nobody: ErrorData = { code: 'NO_WORKER', message: 'nobody listens', hint: '' };
const copies = [
  { copy: 'local', state: 'ready' },
  { copy: 'eu', state: 'away' },
] as CopyStatus[];

test('a worker that is late may ship the log all the same, and copies that are away make one late', () => {
  const { severity, message, hint } = silentHost('here', late, copies);
  assert.equal(severity, 'warning');
  assert.equal(
    message,
    "no worker answers on 'here' within 5 s: this was read from the vault, and whether the log is shipped is not known",
  );
  assert.equal(hint, "is `holdfast worker` running on 'here'? one that runs is slow while these copies are away: eu");
});

test('no copy is blamed that answers, nor where nobody listens at all', () => {
  const running = "is `holdfast worker` running on 'here'?";
  assert.equal(silentHost('here', late, copies.slice(0, 1)).hint, running);
  const { message, hint } = silentHost('here', nobody, copies);
  assert.match(message, /^no worker answers on 'here': this was read from the vault/);
  assert.equal(hint, running);
});
