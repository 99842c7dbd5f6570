// Two histories as one: asked at once, joined, newest first.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { tellHistory } from '../../../src/temporal/histories.ts';

const runOf = (run: string, hour: number, more: object = {}) =>
  ({ run, startedAt: `2026-11-23T${String(hour).padStart(2, '0')}:00:00.000Z`, ...more }) as RunStatus;

test('the vault is asked while Temporal has not answered: with a dead worker each takes long to say so', async () => {
  const told = Promise.withResolvers<readonly RunStatus[]>();
  const asked = Promise.withResolvers<void>();
  const history = tellHistory(
    () => told.promise,
    async () => {
      asked.resolve();
      return [runOf('kept', 1)];
    },
  );
  await asked.promise;
  told.resolve([runOf('told', 2)]);
  assert.deepEqual(
    (await history).map(({ run }) => run),
    ['told', 'kept'],
  );
});

test('of a run that both know Temporal tells, unless it only saw it end from outside', async () => {
  const told = [
    runOf('open', 3, { message: 'told' }),
    runOf('ended', 2, { message: 'told', data: { isAbrupt: true } }),
    runOf('abrupt', 1, { message: 'told', data: { isAbrupt: true } }),
  ];
  const kept = [runOf('ended', 2, { message: 'kept' }), runOf('open', 3, { message: 'kept' })];
  const history = await tellHistory(
    async () => told,
    async () => kept,
  );
  assert.deepEqual(
    history.map(({ run, message }) => [run, message]),
    [
      ['open', 'told'],
      ['ended', 'kept'],
      ['abrupt', 'told'],
    ],
  );
});
