// Who is silent: the worker, or Temporal; told when this host answers by itself, and while an answer is waited for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from '../../../src/cli/context.ts';
import { answerFrom } from '../../../src/cli/estate-answers.ts';
import type { HoldfastClient } from '../../../src/domain/client.ts';
import { HoldfastError } from '../../../src/errors/index.ts';

const contextWith = (client: () => Promise<HoldfastClient>, notes: string[] = []) =>
  ({ options: {}, client, host: async () => ({}), note: (text: string) => notes.push(text) }) as unknown as Context;
const there = async () => ({}) as HoldfastClient;
const after = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(resolve, ms, value));
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
  const answer = await answerFrom(contextWith(there), never, async () => 'from the vault');
  assert.deepEqual([answer.temporal.state, answer.temporal.error?.code], ['reachable', 'NO_WORKER']);
});

test('an answer that only a worker can give is waited for, and after 5 s it is said what for', async () => {
  const notes: string[] = [];
  const slow = () => after(6_000, 'from the worker');
  const answer = await answerFrom(contextWith(there, notes), slow, never, { mayAskBoth: false });
  assert.equal(answer.value, 'from the worker');
  assert.deepEqual(notes, [
    'note: no worker answered within 5 s; the answer is waited for: it may be at work, or was killed and is known as listening for minutes',
  ]);
});

test('a Temporal that is waited for is named, and an answer that comes soon needs no note', async () => {
  const notes: string[] = [];
  const late = contextWith(() => after(6_000, {} as HoldfastClient), notes);
  assert.equal((await answerFrom(late, async () => 'told', never, { mayAskBoth: false })).value, 'told');
  assert.deepEqual(notes, ['note: Temporal did not answer within 5 s; the answer is waited for']);
  const soon: string[] = [];
  await answerFrom(contextWith(there, soon), async () => 'told', never, { mayAskBoth: false });
  await after(5_500, undefined);
  assert.deepEqual(soon, []);
});
