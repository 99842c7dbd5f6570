// Damage on a copy is found, shown and mended; an empty store becomes a copy, whatever kills the worker meanwhile, and gives everything back alone.

import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { bucketObjects, damageBucketObject, localObjects, packsOf } from '../support/estate-objects.ts';
import { estateSandbox, type Json } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const local = sandbox.copies.local.path;
const directory = path.dirname(sandbox.configuration);
const added = path.join(directory, 'copies', 'dr');
const withAdded = path.join(directory, 'with-dr.yaml');
const addedAlone = path.join(directory, 'dr-alone.yaml');
const mib = 2 ** 20;
/** Bytes that no compression makes smaller: several packs. */
const noiseBytes = 128 * mib;
const isPack = (key: string) => /\/packs\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(key);
const isSegment = (key: string) => /\/log\/.*\/[0-9A-F]{24}$/.test(key);
const isLasting = (key: string) => /^database\/main\/(generations|snapshots)\//.test(key);

const sums = (url?: string) =>
  estate.value("select count(*) || ' ' || md5(string_agg(md5(bytes), '' order by n)) from noise", url);
const copyOf = ({ copies }: Json, name: string) => copies.find(({ copy }: Json) => copy === name);
const errorsOf = ({ rule }: Json) => rule.digits.find(({ name }: Json) => name === 'errors');
const statesOf = ({ integrity }: Json) =>
  Object.fromEntries(integrity[0].copies.map(({ copy, state }: Json) => [copy, state]));

async function verifiedStates(): Promise<Record<string, string>> {
  const { json } = await estate.holdfast(['copies']);
  return Object.fromEntries(json.copies.map(({ copy, verified }: Json) => [copy, verified.state]));
}

/** The largest of what matches: the one that holds data. */
function largest(objects: ReadonlyMap<string, number>, matches: (key: string) => boolean): string {
  const [found] = [...objects].filter(([key]) => matches(key)).toSorted(([, a], [, b]) => b - a);
  return found?.[0] ?? assert.fail('nothing like that is there');
}

async function damageFile(file: string): Promise<void> {
  const bytes = await readFile(file);
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  await writeFile(file, bytes);
}

test('what nobody has read is not verified, and does not keep the 0 of the rule', async () => {
  await estate.query(`create table noise (n int, bytes bytea);
    alter table noise alter bytes set storage external;
    insert into noise select n, (select string_agg(sha512(int4send(n * 128 + i)), '') from generate_series(0, 127) i)
      from generate_series(1, ${noiseBytes / 8192}) n`);
  await estate.completed(await estate.detached('backup', 'database/main'));
  const { exit, json } = await estate.holdfast(['copies']);
  assert.equal(exit, 0);
  assert.deepEqual(
    json.copies.map(({ verified }: Json) => verified.state),
    ['never', 'never', 'never'],
  );
  assert.equal(errorsOf(json).state, 'unmet');
  assert.match(errorsOf(json).message, /local: never verified/);
});

test('test integrity reads every copy and finds all of it good; that keeps the 0 until the next snapshot', async () => {
  const { run, integrity } = await estate.done('test', 'integrity');
  assert.deepEqual([run.operation, run.state, integrity[0].level], ['verifySnapshots', 'completed', 'hashed']);
  assert.deepEqual(statesOf({ integrity }), { local: 'good', eu: 'good', us: 'good' });
  const copies = await estate.done('copies');
  assert.deepEqual(
    copies.copies.map(({ verified: { state, level, unread } }: Json) => [state, level, unread]),
    [1, 2, 3].map(() => ['good', 'hashed', 0]),
  );
  assert.equal(errorsOf(copies).state, 'held');
  await estate.completed(await estate.detached('backup', 'database/main'));
  const after = await estate.done('copies');
  assert.deepEqual([copyOf(after, 'eu').verified.state, copyOf(after, 'eu').verified.unread], ['not checked', 1]);
  assert.equal(errorsOf(after).state, 'unmet');
});

test('a damaged pack in a directory and one in a bucket are found: exit status 4, and status says so', async () => {
  await damageFile(path.join(local, largest(await localObjects(local), isPack)));
  await damageBucketObject(sandbox.copies.us, largest(await bucketObjects(sandbox.copies.us), isPack));
  const { exit, json } = await estate.holdfast(['test', 'integrity']);
  assert.deepEqual([exit, json.error.code], [4, 'CHECK_FAILED'], JSON.stringify(json.error));
  assert.deepEqual(statesOf(json), { local: 'damaged', eu: 'good', us: 'damaged' });
  assert.match(json.error.hint, /copies repair/);
  const copies = await estate.holdfast(['copies']);
  assert.equal(copies.exit, 4);
  assert.deepEqual(await verifiedStates(), { local: 'damaged', eu: 'good', us: 'damaged' });
  assert.equal(errorsOf(copies.json).state, 'lost');
  // The policy asks for two whole copies, and one is left.
  const { exit: late, json: status } = await estate.holdfast(['status']);
  assert.equal(late, 4);
  const messages = status.components[0].findings.map(({ message }: Json) => message);
  assert.ok(messages.some((message: string) => message.startsWith('copy local: damaged when it was last read')));
  assert.ok(messages.some((message: string) => message.startsWith('copy us: damaged when it was last read')));
});

test('copies repair mends both from the copy that is good, and the next look finds them good', async () => {
  const { repairs } = await estate.done('copies', 'repair');
  const mended = repairs.flatMap(({ copy, repaired }: Json) =>
    repaired.map(({ kind, was, from }: Json) => ({ copy, kind, was, from })),
  );
  assert.deepEqual(mended, [
    { copy: 'local', kind: 'pack', was: 'damaged', from: 'eu' },
    { copy: 'us', kind: 'pack', was: 'damaged', from: 'local' },
  ]);
  assert.deepEqual((await verifiedStates()).us, 'damaged', 'mended is not yet looked at');
  const { integrity } = await estate.done('test', 'integrity', '--level', 'decrypted');
  assert.deepEqual(statesOf({ integrity }), { local: 'good', eu: 'good', us: 'good' });
  assert.deepEqual(await verifiedStates(), { local: 'good', eu: 'good', us: 'good' });
  const { exit, json } = await estate.heard('status');
  assert.equal(exit, 0, JSON.stringify(json.components[0].findings));
});

test('an empty store becomes a copy, also when the worker is killed meanwhile, and nothing is stored twice', async (t) => {
  const text = await readFile(sandbox.configuration, 'utf8');
  // Slow enough that there is a middle to be killed in.
  const copy = '    dr: { file: copies/dr, site: dr, offsite: true, bandwidth: 8MiB/s }\n';
  await writeFile(withAdded, text.replace('  commit: {', `${copy}  commit: {`));
  await mkdir(added);
  await estate.killWorker();
  await estate.startWorker(withAdded);
  const holdfast = (...args: string[]) => estate.holdfast(args, withAdded);
  const segments = async () => [...(await localObjects(local)).keys()].filter(isSegment).length;
  const before = await segments();
  await estate.query('create table later (n int); select pg_switch_wal()');
  await waitFor('log on the copies', async () => (await segments()) > before, { limitMs: 300_000 });
  assert.equal((await localObjects(added)).size, 0, 'the log comes to no store that is no copy');
  const plan = await holdfast('copies', 'add', 'dr', '--dry-run');
  assert.deepEqual([plan.exit, plan.json.seed.isNew], [0, true], plan.stderr);
  assert.ok(plan.json.seed.bytes > noiseBytes);
  assert.equal((await localObjects(added)).size, 0, 'a dry run touches nothing');

  const { exit, json, stdout } = await holdfast('copies', 'add', 'dr', '--yes', '--detach');
  assert.equal(exit, 0, stdout);
  await waitFor('packs on the new copy', async () => packsOf(await localObjects(added)).names.length >= 2, {
    limitMs: 300_000,
    pauseMs: 5,
  });
  await estate.killWorker();
  const stored = await localObjects(added);
  assert.ok(![...stored.keys()].some((key) => key.includes('/snapshots/')), 'it was killed too late');
  const inodes = new Map<string, number>();
  for (const key of stored.keys()) if (isPack(key)) inodes.set(key, (await stat(path.join(added, key))).ino);
  await estate.startWorker(withAdded);

  const shown = await waitFor(
    'the new copy to be filled',
    async () => {
      const { json: run } = await holdfast('show', json.run.id);
      return ['completed', 'failed', 'stuck', 'refused'].includes(run?.run?.state) && run;
    },
    { limitMs: 600_000, pauseMs: 500 },
  );
  assert.equal(shown.run.state, 'completed', JSON.stringify(shown));
  const [ours, theirs] = [await localObjects(added), await localObjects(local)];
  t.diagnostic(`${inodes.size} packs were there when the worker was killed, ${packsOf(ours).names.length} in the end`);
  for (const [key, inode] of inodes)
    assert.equal((await stat(path.join(added, key))).ino, inode, `${key} was put again`);
  const lasting = (objects: ReadonlyMap<string, number>) => [...objects].filter(([key]) => isLasting(key)).toSorted();
  assert.deepEqual(lasting(ours), lasting(theirs));
  const again = await holdfast('copies', 'add', 'dr', '--dry-run');
  assert.equal(again.json.seed.isNew, false);
  const { exit: good, json: looked } = await holdfast('test', 'integrity', '--copy', 'dr');
  assert.deepEqual([good, statesOf(looked)], [0, { dr: 'good' }]);
});

test('the new copy alone gives the database back', async () => {
  const expected = await sums();
  const text = await readFile(withAdded, 'utf8');
  const others = text.slice(text.indexOf('    local:'), text.indexOf('    dr:'));
  await writeFile(
    addedAlone,
    text.replace(others, '').replace(/commit: \{[^}]*\}/, 'commit: { copies: 1, offsite: 1 }'),
  );
  await estate.killWorker();
  await estate.startWorker(addedAlone);
  const beside = path.join(path.dirname(sandbox.postgres.dataDirectory), 'from-dr');
  const to = ['--to', 'latest', '--beside', beside, '--start', '--yes'];
  const { exit, json, stdout } = await estate.holdfast(['restore', 'database/main', ...to], addedAlone);
  assert.equal(exit, 0, stdout);
  const url = new URL(json.restore.connection.replace('@/', '@localhost/'));
  const host = encodeURIComponent(url.searchParams.get('host') ?? '');
  const socket = `postgres://${url.username}@${host}:${url.searchParams.get('port')}/postgres`;
  assert.equal(await sums(socket), expected);
  const stopped = await estate.holdfast(['stop', json.run.id, '--yes'], addedAlone);
  assert.equal(stopped.exit, 0, stopped.stderr);
});
