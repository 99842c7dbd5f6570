// When a worker may say that it listens: as long as the server does not know it, and cannot say why, somebody hears of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Missing, untilListening } from '../../../src/temporal/until-listening.ts';
import type { Asked } from '../../../src/temporal/workers-present.ts';
import { waitFor } from '../../support/wait-for.ts';

const queues = [
  { queue: 'acme/control', type: 'workflow' },
  { queue: 'acme/db1/survey', type: 'activity' },
] as const;

/** A server by what it says of each queue. */
function server(describe: (queue: string) => Promise<readonly string[]>) {
  const asked: string[] = [];
  const describeTaskQueue = async ({ taskQueue: { name } }: { readonly taskQueue: { readonly name: string } }) => {
    asked.push(name);
    return { pollers: (await describe(name)).map((identity) => ({ identity })) };
  };
  const connection = { workflowService: { describeTaskQueue } } as unknown as Asked['connection'];
  return { asked, reached: { connection, namespace: 'default' } };
}

test('it listens when the server knows it, and not one that had its name before, on every queue', async () => {
  const before = '1@box#0a0a0a0a';
  const identity = '1@box#0b0b0b0b';
  let isKnown = false;
  const { asked, reached } = server(async (queue) =>
    queue === 'acme/control' || isKnown ? [before, identity] : [before],
  );
  let isReady = false;
  const { signal } = new AbortController();
  const listening = untilListening(reached, { identity, queues, signal }).then(() => {
    isReady = true;
  });
  await waitFor('the second queue to be asked about twice', () => asked.length >= 3);
  assert.equal(isReady, false);
  isKnown = true;
  await listening;
  assert.equal(asked.filter((queue) => queue === 'acme/control').length, 1);
});

test('what keeps it from being known is said, with the queue, and asked less and less often', async () => {
  const said: Missing[] = [];
  const refusal = new Error('permission denied');
  const stop = new AbortController();
  let fails = true;
  const { asked, reached } = server(() => (fails ? Promise.reject(refusal) : Promise.resolve([])));
  const listening = untilListening(reached, {
    ...{ identity: 'me', queues, signal: stop.signal, saidAfterMs: 0 },
    onMissing: (missing) => void said.push(missing),
  });
  await waitFor('two words', () => said.length >= 2);
  assert.deepEqual(said[0], { queue: 'acme/control', error: refusal });
  fails = false;
  await waitFor('a word without an error', () => said.some((each) => !('error' in each)));
  assert.ok(asked.length <= 7, `${asked.length} questions`);
  stop.abort();
  await listening;
});

test('a question that hangs keeps nobody from stopping', async () => {
  const { asked, reached } = server(() => new Promise(() => {}));
  const stop = new AbortController();
  const listening = untilListening(reached, { identity: 'me', queues, signal: stop.signal });
  await waitFor('a question', () => asked.length === 1);
  stop.abort();
  await listening;
  assert.equal(asked.length, 1);
});
