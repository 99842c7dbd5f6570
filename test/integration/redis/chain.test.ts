// Redis through Temporal on real components: backed up by hand and by schedule, listed, shown, given back every way, ended, and no secret in its history.

import assert from 'node:assert/strict';
import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import type { RunHandle } from '../../../src/domain/client.ts';
import type { SnapshotSummary } from '../../../src/domain/component-report.ts';
import type { RestoreRedisInput } from '../../../src/domain/operations.ts';
import type { RedisRestored } from '../../../src/domain/redis-restore.ts';
import { HoldfastError } from '../../../src/errors/index.ts';
import { stopRedis, undoRedis } from '../../../src/host/end-redis.ts';
import { openConfiguredVault } from '../../../src/host/open-vault.ts';
import { inPlaceOf } from '../../../src/host/redis-places.ts';
import { openStandaloneRestores } from '../../../src/host/standalone.ts';
import { run } from '../../../src/process/index.ts';
import { RedisConnection } from '../../../src/redis/connection/index.ts';
import { restoreInPlace } from '../../../src/redis/index.ts';
import { typeHoldfast } from '../../support/command-line.ts';
import { wholeFile } from '../../support/components.ts';
import { texts } from '../../support/estate-texts.ts';
import { contentOf, fillRich } from '../../support/redis-data.ts';
import { PASSWORD, redisEstate } from '../../support/redis-estate.ts';
import { waitFor } from '../../support/wait-for.ts';

const estate = await redisEstate(wholeFile, ['appendonly yes', 'aof-timestamp-enabled yes']);
const { server, client } = estate;
const ended = (handle: RunHandle) => client.follow(handle, () => undefined);
const asked = (more: Partial<RestoreRedisInput>): RestoreRedisInput => ({
  ...{ ...estate.input, to: 'latest', approval: 'never', approveWithinSeconds: 600 },
  ...more,
});

async function content(url = server.url): Promise<string[]> {
  const connection = await RedisConnection.open({ url });
  try {
    return await contentOf(connection);
  } finally {
    connection.close();
  }
}

/** The other word, after the first has been said. */
async function refused(what: 'rollback' | 'confirm', restore: string, message: RegExp): Promise<void> {
  const start = what === 'rollback' ? client.startRollback : client.startConfirm;
  const { state, error } = await ended(await start({ ...estate.input, run: restore }));
  assert.deepEqual([state, error?.code], ['refused', 'JOURNAL_STATE']);
  assert.match(error?.message ?? '', new RegExp(`'${restore}' ${message.source}`));
  assert.match(error?.hint ?? '', /needs no word; `holdfast list redis\/cache` shows/);
}

const rolledBack = /is rolled back since \S+: there is nothing to confirm/;
const confirmed = /is confirmed since \S+: what was there before is gone/;

let before: string[];

async function change(): Promise<string[]> {
  await server.cli('SET', 'string:raw', 'changed later');
  await server.cli('SET', 'made later', '1');
  return await content();
}

async function complete(more: Partial<RestoreRedisInput>): Promise<RedisRestored & { readonly run: string }> {
  const status = await ended(await client.startRedisRestore(asked(more)));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  return { ...(status.data?.redisRestored as RedisRestored), run: status.run };
}

async function end(what: 'rollback' | 'confirm', restore: string): Promise<void> {
  const start = what === 'rollback' ? client.startRollback : client.startConfirm;
  const status = await ended(await start({ ...estate.input, run: restore }));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
}

test('the check tells that everything is there; a snapshot is taken, kept on every copy, listed with its keys, and shown', async () => {
  const connection = await server.connect();
  await fillRich(connection, 'redis8');
  connection.close();
  before = await content();
  const report = await client.check('redis/cache');
  assert.deepEqual(
    [report.ok, report.checks.map(({ name }) => name)],
    [true, ['copy local', 'copy eu', 'server', 'programs', 'permission']],
  );
  const status = await ended(await client.startRedisBackup({ ...estate.input, kind: 'rdb' }));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const snapshot = status.data?.snapshot as SnapshotSummary;
  assert.deepEqual([snapshot.kind, snapshot.copies], ['rdb', { local: 'present', eu: 'present' }]);
  assert.equal(snapshot.redis?.keys, before.length - 1);
  assert.deepEqual(await client.snapshots('redis/cache'), [snapshot]);
  const captured = await ended(await client.startRedisBackup({ ...estate.input, kind: 'aof' }));
  assert.equal(captured.state, 'completed', JSON.stringify(captured, undefined, 1));
  const redis = (captured.data?.snapshot as SnapshotSummary | undefined)?.redis;
  assert.deepEqual([redis?.window?.isTimed, redis?.window?.joins, redis?.window?.gaps], [true, false, 0]);
  const [component] = await client.components();
  assert.deepEqual([component?.component, component?.window?.snapshots], ['redis/cache', 2]);
  assert.deepEqual(
    component?.findings.filter(({ severity }) => severity === 'late'),
    [],
  );
  const changes = await client.applySchedules({ dryRun: true });
  assert.ok(changes.some(({ id, spec }) => id.endsWith('backup/redis/cache/rdb') && spec === 'every 2h'));
});

test('beside: started on a socket with the same content, and stopped again', async () => {
  const directory = path.join(estate.directory, 'beside');
  const restored = await complete({ beside: { directory, start: true } });
  assert.deepEqual(await content(restored.connection), before);
  assert.equal(restored.proof.hasCompared, true);
  const show = (...how: string[]) =>
    typeHoldfast(['-c', path.join(estate.directory, 'holdfast.yaml'), 'show', restored.run, ...how]);
  assert.match((await show()).text, new RegExp(`next: 'holdfast stop ${restored.run}'`));
  const stopped = await client.stopServer({ ...estate.input, run: restored.run });
  assert.deepEqual([stopped.stopped, stopped.dataDirectory], [true, directory]);
  const over = (await show()).text;
  assert.match(over, /the server that it left does not run any more/);
  assert.doesNotMatch(over, /next:|server at/);
  assert.equal((await show('--json')).json.isServing, false);
  await access(path.join(directory, 'dump.rdb'));
  // Neither ending the server nor undoing the restore waits for a store: the plan is on the host.
  const away = () => Promise.reject(new HoldfastError('STORE_UNAVAILABLE', 'no copy answers'));
  const { configuration } = estate;
  const alone = { configuration, host: 'here', logger: pino({ level: 'silent' }), vault: away, reading: away };
  assert.equal((await stopRedis(alone, 'redis/cache', restored.run)).stopped, false);
  await undoRedis(alone, 'redis/cache', restored.run);
  await assert.rejects(access(directory), { code: 'ENOENT' });
  const [component] = await client.components();
  assert.equal(component?.proven?.level, 'queried');
  const again = await ended(
    await client.startRedisRestore(asked({ beside: { directory: estate.directory, start: false } })),
  );
  assert.deepEqual([again.state, again.error?.code], ['refused', 'TARGET_UNFIT']);
});

test('live: by the plan that was shown, waited for a word, rolled back', async () => {
  const after = await change();
  const plan = await client.planRedis(asked({ live: true }));
  assert.deepEqual([plan.way, plan.blockers, plan.server?.version], ['live', undefined, '8.0.2']);
  // Also for what the server has by then, which is kept.
  assert.ok((plan.space?.neededBytes ?? 0) > plan.sizeBytes, JSON.stringify(plan.space));
  const wrong = await ended(await client.startRedisRestore(asked({ live: true, planDigest: 'f'.repeat(16) })));
  assert.deepEqual([wrong.state, wrong.error?.code], ['refused', 'PLAN_CHANGED']);
  const restored = await complete({ live: true, planDigest: plan.digest });
  assert.deepEqual(await content(), before);
  const [component] = await client.components();
  assert.match(component?.restores?.[0]?.state ?? '', /unconfirmed/);
  const other = await ended(await client.startRedisRestore(asked({ live: true })));
  assert.deepEqual([other.state, other.error?.code], ['refused', 'JOURNAL_STATE']);
  await end('rollback', restored.run);
  assert.deepEqual(await content(), after);
  await refused('confirm', restored.run, rolledBack);
  await end('rollback', restored.run);
});

test('by pattern: only the keys that match, confirmed', async () => {
  const restored = await complete({ pattern: 'string:*' });
  assert.equal(restored.replaced?.replace, 1);
  assert.equal(await server.cli('GET', 'made later'), '1\n');
  await end('confirm', restored.run);
  await refused('rollback', restored.run, confirmed);
  await end('confirm', restored.run);
  const rest = (await content()).filter((line) => !line.includes('made later'));
  assert.deepEqual(rest, before);
});

test('by pattern: what matches nothing is refused, as is what was not counted before; nobody is asked for a word, and nothing is left', async () => {
  const [there, confirmed] = [await content(), (await journals()).length];
  const nothing = { pattern: 'String:*' };
  // The newest snapshot is of append-only files: what its log takes of memory is not known before it is loaded.
  const { warnings: first } = await client.planRedis(asked(nothing));
  assert.match(first.join(), /was not counted: how much memory it takes with its log is not known/);
  const refused = async () => {
    const { state, error } = await ended(await client.startRedisRestore(asked(nothing)));
    assert.deepEqual([state, error?.code], ['refused', 'NOT_FOUND'], JSON.stringify(error));
    assert.match(error?.hint ?? '', /--key '\*String:\*' --dry-run/);
    assert.equal((await journals()).length, confirmed);
  };
  await refused();
  // More than a plan looks at.
  await server.cli('-n', '9', 'DEBUG', 'POPULATE', '1000001');
  const { warnings } = await client.planRedis(asked(nothing));
  assert.match(warnings.join(), /was not counted: the server has \d+ keys/);
  await refused();
  await server.cli('-n', '9', 'FLUSHDB');
  const [component] = await client.components();
  assert.deepEqual(component?.restores ?? [], []);
  assert.deepEqual(await content(), there);
});

const journals = () => readdir(path.join(estate.directory, 'state', 'redis', 'cache'));

test('into the stopped server by its service, and back', async () => {
  const after = await change();
  const plan = await client.planRedis(asked({}));
  assert.deepEqual([plan.way, plan.isAppendOnly, plan.blockers], ['stopped', true, undefined]);
  const restored = await complete({});
  assert.deepEqual(await content(), before);
  // By its journal alone, as a person does it without Temporal.
  const alone = openStandaloneRestores(estate.configuration, {
    logger: pino({ level: 'silent' }),
    by: 'test',
    host: 'here',
  });
  const phases = (await alone.list('redis/cache')).map(({ phase }) => phase);
  assert.deepEqual(phases.sort(), ['confirmed', 'rolled back', 'swapped']);
  assert.equal((await alone.rollback(restored.run)).state, 'completed');
  await assert.rejects(alone.confirm(restored.run), { code: 'JOURNAL_STATE', message: rolledBack });
  await alone.close();
  assert.deepEqual(await content(), after);
});

test('a server that does not come back with the data is given its own back, although its stop command fails when nothing runs', async () => {
  const after = await content();
  const settings = estate.configuration.redis.cache;
  const place = await inPlaceOf(
    settings!,
    'restore-0000000f',
    { directory: server.dataDirectory, isAppendOnly: true },
    new AbortController().signal,
  );
  let starts = 0;
  const service = {
    stop: () => place.service!.stop(),
    start: async () => {
      starts++;
      if (starts === 1) throw new Error('the unit failed');
      await place.service!.start();
    },
  };
  const vault = await openConfiguredVault(estate.configuration, { host: 'here', logger: pino({ level: 'silent' }) });
  const [snapshot] = await vault.listSnapshots('redis/cache');
  const { programs } = server;
  await assert.rejects(restoreInPlace({ ...place, service, vault, snapshot: snapshot!, programs }), {
    code: 'ROLLED_BACK',
    message: /the unit failed/,
  });
  await vault.close();
  assert.deepEqual(await content(), after);
});

test('to a second between two captures, although a rewrite came after it; what was not captured is refused', async () => {
  const wanted = await content();
  const second = Math.floor(Date.now() / 1000);
  await waitFor('the next second', () => Math.floor(Date.now() / 1000) > second + 1);
  await server.cli('FLUSHALL');
  await server.cli('BGREWRITEAOF');
  await waitFor('the rewrite to end', async () =>
    /aof_rewrite_in_progress:0/.test(await server.cli('INFO', 'persistence')),
  );
  const captured = await ended(await client.startRedisBackup({ ...estate.input, kind: 'aof' }));
  assert.equal(captured.state, 'completed', JSON.stringify(captured, undefined, 1));
  const to = new Date((second + 1) * 1000).toISOString();
  const plan = await client.planRedis(asked({ to, live: true }));
  assert.deepEqual([plan.snapshot.skewSeconds, plan.warnings], [0, []]);
  const restored = await complete({ to, live: true });
  assert.deepEqual(await content(), wanted);
  await end('confirm', restored.run);
  const early = await ended(await client.startRedisRestore(asked({ to: '2020-01-01T00:00:00Z', live: true })));
  assert.deepEqual([early.state, early.error?.code], ['refused', 'TARGET_OUTSIDE']);
});

test('no history holds the password of the server', async () => {
  let seen = 0;
  const query = `HoldfastEstate = "${estate.configuration.name}"`;
  for await (const { workflowId, runId } of estate.temporal.workflow.list({ query })) {
    const payloads = [...texts(await estate.temporal.workflow.getHandle(workflowId, runId).fetchHistory())].join('\n');
    assert.ok(payloads.includes(estate.configuration.name), workflowId);
    assert.ok(!payloads.includes(PASSWORD), workflowId);
    seen += 1;
  }
  assert.ok(seen >= 9, `${seen} runs`);
  await record();
});

/** With HOLDFAST_RECORD the histories of this run become those that test/replay replays. */
async function record(): Promise<void> {
  if (process.env.HOLDFAST_RECORD === undefined) return;
  const script = path.resolve(import.meta.dirname, '..', '..', '..', 'scripts', 'record-histories.mjs');
  const address = String(estate.configuration.temporal.address);
  await run(process.execPath, [script, address, estate.configuration.name], { deadlineMs: 60_000 });
}
