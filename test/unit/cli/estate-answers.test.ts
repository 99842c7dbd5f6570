// Who is silent when this host answers by itself: the worker, or Temporal.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from '../../../src/cli/context.ts';
import { answerFrom } from '../../../src/cli/estate-answers.ts';
import type { HoldfastClient } from '../../../src/domain/client.ts';
import { HoldfastError } from '../../../src/errors/index.ts';

const contextWith = (client: () => Promise<HoldfastClient>) =>
  ({ options: {}, client, host: async () => ({}) }) as unknown as Context;
const never = () => new Promise<never>(() => undefined);

test('a server that is given up later than the patience lasts is unreachable, not a worker that is silent', async () => {
  const refused = () =>
    new Promise<never>((_, reject) => {
      setTimeout(() => reject(new HoldfastError('TEMPORAL_UNREACHABLE', 'nobody listens')), 6_000);
    });
  const answer = await answerFrom(contextWith(refused), never, async () => 'from the vault');
  assert.equal(answer.value, 'from the vault');
  assert.equal(answer.temporal.state, 'unreachable');
  assert.equal(answer.temporal.error?.code, 'TEMPORAL_UNREACHABLE');
});

test('a worker that does not answer is told of, and the server is there', async () => {
  const there = async () => ({}) as HoldfastClient;
  const answer = await answerFrom(contextWith(there), never, async () => 'from the vault');
  assert.deepEqual([answer.temporal.state, answer.temporal.error?.code], ['reachable', 'NO_WORKER']);
});
