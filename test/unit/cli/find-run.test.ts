// Which runs a command is about, and what is said when there is none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../../../config/index.ts';
import type { Context } from '../../../src/cli/context.ts';
import { findRun } from '../../../src/cli/find-run.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { hasServer, isBeside, isInPlace } from '../../../src/domain/restore-runs.ts';

const restore = (plan: object, state = 'completed') =>
  ({ operation: 'restoreDatabase', state, data: { plan } }) as unknown as RunStatus;

test('only a restore beside that was asked for a server has one to stop', () => {
  assert.equal(hasServer(restore({ mode: 'beside', start: true })), true);
  assert.equal(hasServer(restore({ mode: 'beside', start: false })), false);
  assert.equal(hasServer(restore({ mode: 'beside', start: true }, 'failed')), false);
  assert.equal(hasServer(restore({ mode: 'in place' })), false);
});

test('a restore beside is none that can be confirmed or rolled back', () => {
  assert.equal(isBeside(restore({ mode: 'beside', start: true })), true);
  assert.equal(isInPlace(restore({ mode: 'beside', start: true })), false);
  assert.equal(isBeside(restore({ mode: 'in place' })), false);
  assert.equal(isInPlace(restore({ mode: 'in place' })), true);
  assert.equal(isInPlace(restore({ mode: 'beside', start: true }, 'stuck')), false);
  assert.equal(isInPlace(restore({ mode: 'in place' }, 'stuck')), true);
});

test('without Temporal a run that the vault has no record of may be under way, and the hint says so', async () => {
  const configuration = {
    name: 'acme',
    database: { main: { id: 'database/main', kind: 'database', name: 'main' } },
    ...{ redis: {}, files: {}, configuration: {} },
  } as unknown as Configuration;
  const contextOf = (standalone: boolean) =>
    ({
      options: { standalone },
      host: async () => ({ history: async () => [] }),
      client: async () => ({ history: async () => [], status: async () => undefined }),
      note: () => undefined,
    }) as unknown as Context;
  const hint =
    'runs that are under way are known to Temporal alone: ask without `--standalone`; those that have ended are in `holdfast history --standalone`';
  for (const words of [['restore-3f9a1c2b'], ['database', 'main']]) {
    await assert.rejects(findRun(contextOf(true), configuration, words), { code: 'NOT_FOUND', hint });
    await assert.rejects(findRun(contextOf(false), configuration, words), { hint: 'see `holdfast history`' });
  }
});
