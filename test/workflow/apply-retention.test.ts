// How retention runs: what is held is kept locked, then plan, sweep, mark; what a person saw is what is done; a doubt is no success.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { canonical } from '../../activities/lib/canonical.ts';
import type { Configuration } from '../../config/index.ts';
import type { ApplyRetentionInput, RunStatus } from '../../src/domain/operations.ts';
import { isHoldfastError } from '../../src/errors/index.ts';
import { awaitRun } from '../../src/temporal/await-run.ts';
import { RunBook } from '../../src/temporal/run-book.ts';
import { startOperation } from '../../src/temporal/start-operation.ts';
import { waitFor } from '../support/wait-for.ts';
import { dataOf, failureOf } from './support/closing.ts';
import { emptySweep, failure, script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const request = (estate: string, more: object = {}) => ({ estate, host: 'db1', by: 'me', ...more });

test('what is due goes before anything new is named, and both are told', async (t) => {
  const { calls, requests, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('applyRetention', `${estate.name}/retention`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.deepEqual(calls.slice(0, 3), ['resolveOperation', 'lockHeld', 'planRetention']);
  assert.deepEqual(calls.slice(3), ['sweepRetention', 'markRetention', 'putRunRecord']);
  assert.deepEqual(requests.sweepRetention, [{ run: status.run, by: 'me' }]);
  assert.match(status.run, /^retention-[0-9a-f]{8}$/);
  assert.equal(status.message, '3 objects deleted on 1 copies, 0 snapshots gone; nothing new marked');
});

test('a plan that is another by now than the one a person saw touches nothing', async (t) => {
  const { calls, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const input = request(estate.name, { planDigest: 'another' });
  const closed = await failureOf(await estate.start('applyRetention', `${estate.name}/retention`, input));
  assert.deepEqual([closed.type, closed.status.state], ['PLAN_CHANGED', 'refused']);
  assert.ok(!calls.includes('sweepRetention') && !calls.includes('markRetention'));
});

test('a doubt stops it before anything is marked or deleted, but what is held was kept locked; nothing is tried again until it is asked again', async (t) => {
  const { calls, activities } = script({
    planRetention: () => {
      throw failure('RETENTION_DOUBT', "copy 'eu' is away");
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const closed = await failureOf(
    await estate.start('applyRetention', `${estate.name}/retention`, request(estate.name)),
  );
  assert.deepEqual([closed.type, closed.status.state], ['RETENTION_DOUBT', 'refused']);
  assert.deepEqual(calls, ['resolveOperation', 'lockHeld', 'planRetention', 'putRunRecord']);
});

const unlocked = [
  { copy: 'us', extended: 7, until: '2026-12-24T00:00:00.000000Z' },
  {
    ...{ copy: 'eu', extended: 0 },
    error: { code: 'STORE_DENIED', message: "locking 'x': access denied", hint: 'let it' },
  },
];

test('a doubt does not hide that something held could not be kept locked', async (t) => {
  const { activities } = script({
    lockHeld: () => unlocked,
    planRetention: () => {
      throw failure('RETENTION_DOUBT', "copy 'local' is away");
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const closed = await failureOf(
    await estate.start('applyRetention', `${estate.name}/retention`, request(estate.name)),
  );
  assert.deepEqual([closed.type, closed.status.state], ['STORE_DENIED', 'refused']);
  assert.match(
    closed.status.error?.message ?? '',
    /^what is held on 'eu' could not be kept locked: .*access denied; and copy 'local' is away \(RETENTION_DOUBT\)$/,
  );
  assert.match(closed.status.error?.hint ?? '', /^let it; mend what is named/);
  assert.deepEqual(dataOf(closed.status, 'held'), unlocked);
});

test('that nobody could look at what is held ends the run badly, after all else was done', async (t) => {
  const { calls, activities } = script({
    lockHeld: () => {
      throw failure('VAULT_KEY_WRONG', 'the key does not open this vault');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const closed = await failureOf(
    await estate.start('applyRetention', `${estate.name}/retention`, request(estate.name)),
  );
  assert.equal(closed.type, 'VAULT_KEY_WRONG');
  assert.deepEqual(calls.slice(-3), ['sweepRetention', 'markRetention', 'putRunRecord']);
});

test('without keep it locks what is held, and neither marks nor deletes', async (t) => {
  const { calls, activities } = script({
    resolveOperation: ({ input }: { input: ApplyRetentionInput }) => ({
      ...canonical('applyRetention', input),
      input: { ...input, keepsAll: true },
    }),
    lockHeld: () => unlocked.slice(0, 1),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('applyRetention', `${estate.name}/retention`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.deepEqual(calls, ['resolveOperation', 'lockHeld', 'putRunRecord']);
  assert.deepEqual(
    status.steps.map(({ name, state }) => `${name} ${state}`),
    ['lock done', 'plan skipped', 'sweep skipped', 'mark skipped'],
  );
  assert.deepEqual(dataOf(status, 'held'), unlocked.slice(0, 1));
});

test('one component that cannot be judged does not stop the others, and the run does not end well', async (t) => {
  const error = { code: 'RETENTION_DOUBT', message: "'database/main' cannot be judged", hint: 'mend it' };
  const refused = [{ component: 'database/main', error }];
  const { calls, activities } = script({ sweepRetention: () => ({ ...emptySweep, refused }) });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const closed = await failureOf(
    await estate.start('applyRetention', `${estate.name}/retention`, request(estate.name)),
  );
  assert.deepEqual([closed.type, closed.status.error?.hint], ['RETENTION_DOUBT', 'mend it']);
  assert.ok(calls.includes('markRetention'));
});

test('only a person who says so marks beyond the maximum, and only the marking hears it', async (t) => {
  const { requests, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const input = request(estate.name, { beyondMaximum: true });
  const handle = await estate.start('applyRetention', `${estate.name}/retention`, input);
  const { run } = (await handle.result()) as RunStatus;
  assert.deepEqual(requests.sweepRetention, [{ run, by: 'me' }]);
  assert.deepEqual(requests.markRetention, [{ run, by: 'me', beyondMaximum: true }]);
});

test('what is held and could not be kept locked ends the run badly, after all else was done', async (t) => {
  const { calls, activities } = script({ lockHeld: () => unlocked });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const closed = await failureOf(
    await estate.start('applyRetention', `${estate.name}/retention`, request(estate.name)),
  );
  assert.deepEqual([closed.type, closed.status.error?.hint], ['STORE_DENIED', 'let it']);
  assert.match(closed.status.error?.message ?? '', /held on 'eu' could not be kept locked/);
  assert.deepEqual(calls.slice(-3), ['sweepRetention', 'markRetention', 'putRunRecord']);
});

function unlessNoWorker(error: unknown): undefined {
  if (!isHoldfastError(error, 'NO_WORKER')) throw error;
}

/** An estate whose retention waits before it plans until `goOn` is called; other runs are joined as a worker joins them. */
async function waitingEstate(t: TestContext) {
  let goOn = () => {};
  const waiting = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const running = { signal: new AbortController().signal, report: () => {}, before: undefined, logger: {} as never };
  const { calls, activities } = script({
    resolveOperation: ({ input }: { input: ApplyRetentionInput }) => ({ ...canonical('applyRetention', input), input }),
    planRetention: async () => {
      await waiting;
      return { digest: 'digest-1' };
    },
    awaitRun: (asked: { workflowId: string; request: string }) => awaitRun(shared.env.client, asked, running),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => {
    goOn();
    return estate.stop();
  });
  const { client, connection } = shared.env;
  const connected = { client, connection: connection as never, namespace: 'default', address: '' };
  const book = new RunBook(connected, { name: estate.name, temporal: {} } as Configuration);
  const ask = (more: object) => startOperation(connected, book, 'applyRetention', { ...request(estate.name), ...more });
  /** The first run: a worker that nobody has asked anything yet may not be known to the server. */
  const begin = async (more: object) => {
    const begun = await waitFor('the workers', () => ask(more).catch(unlessNoWorker));
    assert.ok(begun.started);
    await waitFor('the run to plan', async () => calls.includes('planRetention'));
    return begun;
  };
  const byTheClock = (more: object = {}) =>
    estate.start('applyRetention', `${estate.name}/retention/main-${calls.length}`, request(estate.name, more));
  return { calls, ask, begin, byTheClock, goOn, canonical: client.workflow.getHandle(`${estate.name}/retention`) };
}

const isBusy = (words: RegExp) => (error: unknown) => {
  assert.ok(isHoldfastError(error, 'ALREADY_RUNNING'));
  return words.test(error.message);
};

test('who asks for more than the run under way was asked for does not join it', async (t) => {
  const { calls, ask, begin, byTheClock, goOn, canonical: handle } = await waitingEstate(t);
  const first = await begin({});
  await assert.rejects(
    ask({ beyondMaximum: true }),
    isBusy(
      /^the retention of the vault is under way and was asked for something else\n.*\nit was asked for: retention\n/,
    ),
  );
  const closed = await failureOf(await byTheClock({ beyondMaximum: true }));
  assert.equal(closed.type, 'ALREADY_RUNNING');
  assert.match(
    closed.status.error?.message ?? '',
    /, by me\nit was asked for: retention\nit was not asked for: retention b/,
  );
  const joined = await ask({ planDigest: 'digest-1' });
  assert.deepEqual([joined.started, joined.runId], [false, first.runId]);
  goOn();
  await handle.result();
  assert.equal(calls.filter((name) => name === 'planRetention').length, 1);
});

test('who asks for less than the run under way does joins it, by the clock too, and ends as that one ends', async (t) => {
  const { calls, ask, begin, byTheClock, goOn, canonical: handle } = await waitingEstate(t);
  const first = await begin({ beyondMaximum: true });
  const joined = await ask({});
  assert.deepEqual([joined.started, joined.runId], [false, first.runId]);
  const scheduled = await byTheClock();
  await waitFor('the scheduled run to join', async () => calls.includes('awaitRun'));
  goOn();
  assert.deepEqual(await scheduled.result(), await handle.result());
  assert.equal(calls.filter((name) => name === 'planRetention').length, 1);
});
