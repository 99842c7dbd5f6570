// The sandbox as a whole: up, everything answers, down, nothing left; up again; also when `up` is killed at any point.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import test from 'node:test';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Connection } from '@temporalio/client';
import pg from 'pg';
import { loadConfiguration, resolveSecret } from '../../config/index.ts';
import { isHoldfastError } from '../../src/errors/index.ts';
import { isAlive, run, type start, start as startProcess, stopByPid, tryRun } from '../../src/process/index.ts';
import { type DownResult, holdfastProgram, type Sandbox, sandboxDown, sandboxUp } from '../../src/sandbox/index.ts';
import { lastFirst } from '../support/last-first.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait-for.ts';

const script = path.join(import.meta.dirname, '..', 'support', 'sandbox-up.ts');

/** Every process that names the directory in its command line, or works in it: whatever a sandbox could leave behind. */
async function processesOf(directory: string): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,stat=,args=']);
  const listed = stdout.split('\n').filter((line) => line.includes(directory) && !/^\s*\d+\s+Z/.test(line));
  const { stdout: links } = await run('sh', ['-c', 'ls -l /proc/[0-9]*/cwd 2>/dev/null; true']);
  return [...listed, ...links.split('\n').filter((line) => line.includes(`-> ${directory}`))];
}

async function select(connectionString: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return Object.values((await client.query(sql)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

async function storeAndFetch({ endpoint, region, bucket, ...credentials }: Sandbox['copies']['eu']): Promise<string> {
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: region }));
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a' }));
  client.destroy();
  return (await Body?.transformToString()) ?? '';
}

test('up starts everything and writes down where it is; down stops all of it and nothing else', async (t) => {
  const dir = path.join(await temporaryDirectory(t), 'estate');
  const bystander = await startProcess('sleep', ['600'], { env: { HOLDFAST_SANDBOX: `${dir}-other` } });
  t.after(() => bystander.stop().then(() => undefined));
  const progress: string[] = [];
  const sandbox = await sandboxUp({ dir, worker: false, onProgress: (text) => progress.push(text) });
  assert.equal(progress.length, 4);

  await t.test('the servers answer where sandbox.json says', async () => {
    assert.deepEqual(JSON.parse(await readFile(path.join(dir, 'sandbox.json'), 'utf8')), sandbox);
    assert.equal(await select(sandbox.postgres.url, 'select current_user'), 'postgres');
    assert.equal(await select(sandbox.postgres.holdfastUrl, 'select current_user'), 'holdfast');
    assert.equal(sandbox.postgres.dataDirectory, path.join(dir, 'postgres', 'main'));
    assert.equal(await storeAndFetch(sandbox.copies.eu), 'eu-central-1');
    assert.equal(await storeAndFetch(sandbox.copies.us), 'us-east-1');
    const connection = await Connection.connect({ address: sandbox.temporal.address });
    await connection.close();
    assert.match(await (await fetch(sandbox.temporal.ui)).text(), /<html/);
    for (const identity of Object.values(sandbox.pids)) {
      assert.ok(identity && (await isAlive(identity.pid, identity.startTime)));
    }
  });

  await t.test('the configuration is valid, and its references lead to the secrets', async () => {
    const { configuration, warnings } = await loadConfiguration(sandbox.configuration);
    assert.deepEqual(warnings, []);
    assert.deepEqual(Object.keys(configuration.vault.copies), ['local', 'eu', 'us']);
    const database = configuration.database.main;
    assert.ok(database);
    assert.equal(await resolveSecret(database.url), sandbox.postgres.holdfastUrl);
    assert.ok(sandbox.postgres.major >= 17);
    assert.deepEqual(database.backup, { full: 'daily 02:00', incremental: 'every 6h' });
    const { s3 } = configuration.vault.copies.us ?? {};
    assert.equal(s3?.secretAccessKey && (await resolveSecret(s3.secretAccessKey)), sandbox.copies.us.secretAccessKey);
    assert.equal(configuration.temporal.address, sandbox.temporal.address);
  });

  await t.test('what holds a secret is for its owner only, and no secret is in the configuration', async () => {
    for (const file of [path.join(dir, 'sandbox.json'), sandbox.keyFile, sandbox.passphraseFile]) {
      assert.equal((await stat(file)).mode & 0o777, 0o600, file);
    }
    const text = await readFile(sandbox.configuration, 'utf8');
    const { password } = new URL(sandbox.postgres.holdfastUrl);
    for (const secret of [password, sandbox.copies.eu.secretAccessKey]) assert.ok(!text.includes(secret));
  });

  await t.test('up again finds it up', async () => {
    assert.deepEqual(await sandboxUp({ dir, worker: false }), sandbox);
  });

  await t.test('a server that somebody else started in it, as a recovery does, goes down with it', async () => {
    // Stopped and started again by hand, with a process id that no record has.
    const { pid, startTime } = sandbox.pids.postgres ?? assert.fail();
    await stopByPid({ pid, startTime }, { signal: 'SIGINT', graceMs: 60_000 });
    const { bindir, dataDirectory, runAs } = sandbox.postgres;
    const pgCtl = ['start', '-w', '-D', dataDirectory, '-l', path.join(sandbox.logs, 'postgres.log')];
    await run(path.join(bindir, 'pg_ctl'), pgCtl, { cwd: '/', ...(runAs === undefined ? {} : { runAs }) });
    assert.equal(await select(sandbox.postgres.url, 'select 1'), 1);
  });

  const result = await sandboxDown({ dir });
  assert.deepEqual(result.stopped.map(({ part }) => part).toSorted(), ['postgres', 's3-eu', 's3-us', 'temporal']);
  assert.deepEqual(await processesOf(dir), []);
  assert.equal(await isAlive(bystander.identity.pid, bystander.identity.startTime), true);
  assert.deepEqual(
    (await readdir('/tmp')).filter((name) => name.includes('seaweedfs') && name.includes(endpointPort(sandbox))),
    [],
  );
  assert.deepEqual((await sandboxDown({ dir })).stopped, []);
});

/** Name and content of what `storeAndFetch` has stored. */
async function fetchStored({ endpoint, region, bucket, ...credentials }: Sandbox['copies']['eu']): Promise<string> {
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a' }));
  client.destroy();
  return (await Body?.transformToString()) ?? '';
}

const without = ({ pids: _, ...rest }: Sandbox) => rest;

function identityOf({ pids }: Sandbox, part: keyof Sandbox['pids']) {
  return pids[part] ?? assert.fail(`${part} is not recorded`);
}

async function socketsOf(sandbox: Sandbox['copies']['eu']): Promise<string[]> {
  const { port } = new URL(sandbox.endpoint);
  return (await readdir('/tmp')).filter((name) => name.includes('seaweedfs') && name.includes(port));
}

test('up again starts what is down, with its data and where it was, and leaves alone what runs; also after down', async (unordered) => {
  const t = lastFirst(unordered);
  const dir = path.join(await temporaryDirectory(t), 'estate');
  const first = await sandboxUp({ dir });
  t.after(() => sandboxDown({ dir }).then(() => undefined));
  await select(first.postgres.url, 'create table kept as select 42 as answer');
  for (const copy of [first.copies.eu, first.copies.us]) await storeAndFetch(copy);
  const isWhole = async (sandbox: Sandbox) => {
    assert.deepEqual(without(sandbox), without(first));
    assert.equal(await select(sandbox.postgres.holdfastUrl, 'select 1'), 1);
    assert.equal(await select(sandbox.postgres.url, 'select answer from kept'), 42);
    assert.equal(await fetchStored(sandbox.copies.eu), 'eu-central-1');
    assert.equal(await fetchStored(sandbox.copies.us), 'us-east-1');
    for (const identity of Object.values(sandbox.pids))
      assert.ok(identity && (await isAlive(identity.pid, identity.startTime)));
  };

  await stopByPid(identityOf(first, 'worker'), { signal: 'SIGKILL', graceMs: 30_000 });
  await stopByPid(identityOf(first, 's3-eu'), { signal: 'SIGKILL', graceMs: 30_000 });
  await stopByPid(identityOf(first, 'postgres'), { signal: 'SIGINT', graceMs: 60_000 });
  const told: string[] = [];
  const second = await sandboxUp({ dir, onProgress: (text) => told.push(text) });
  assert.deepEqual(told.toSorted(), [
    'postgres was down and answers again',
    's3-eu was down and answers again',
    'the worker listens',
  ]);
  await isWhole(second);
  for (const part of ['temporal', 's3-us'] as const) assert.deepEqual(second.pids[part], first.pids[part]);

  // A worker that ends at once does not listen, though Temporal still knows the one before.
  const written = await readFile(first.configuration, 'utf8');
  await stopByPid(identityOf(second, 'worker'), { signal: 'SIGKILL', graceMs: 30_000 });
  await writeFile(first.configuration, `${written}bogus: 1\n`);
  await assert.rejects(sandboxUp({ dir }), /^HoldfastError: 'worker' of the sandbox in .*bogus/s);
  await writeFile(first.configuration, written);
  await isWhole(await sandboxUp({ dir }));

  // A store that died by itself is not there to be stopped, and what it left in /tmp is its own.
  await stopByPid(identityOf(second, 's3-us'), { signal: 'SIGKILL', graceMs: 30_000 });
  assert.notDeepEqual(await socketsOf(second.copies.us), []);
  await sandboxDown({ dir });
  assert.deepEqual(await socketsOf(second.copies.us), []);
  await isWhole(await sandboxUp({ dir }));
});

const leftToRestore =
  'postgres stays down: restore-3f9a1c2b is in the middle of exchanging its data, and starts it at the end';

/** As a restore writes it when it begins to exchange the data. Returns its journal. */
async function beginExchange({ postgres }: Sandbox): Promise<string> {
  const journals = path.join(`${postgres.dataDirectory}.holdfast`, 'journal');
  await mkdir(journals, { recursive: true });
  const line = { at: '2026-11-23T06:14:07.000Z', run: 'restore-3f9a1c2b', token: 1, step: 'swap', state: 'begin' };
  const file = path.join(journals, `${line.run}.jsonl`);
  await writeFile(file, `${JSON.stringify(line)}\n`);
  return file;
}

/** What `sandbox up` says at the end when it leaves with this status. */
async function upByHand(dir: string, status: number): Promise<string> {
  const { exitCode, stdout, stderrTail } = await tryRun(holdfastProgram(), ['sandbox', 'up', '--dir', dir, '--json']);
  assert.equal(exitCode, status, stdout + stderrTail);
  return JSON.parse(stdout).message;
}

test('up after down in the middle of an exchange starts the worker that ends it, and says that PostgreSQL is down till then', async (unordered) => {
  const t = lastFirst(unordered);
  const dir = path.join(await temporaryDirectory(t), 'estate');
  const first = await sandboxUp({ dir });
  t.after(() => sandboxDown({ dir }).then(() => undefined));
  await sandboxDown({ dir });
  const journal = await beginExchange(first);
  const told: string[] = [];
  const left = await sandboxUp({ dir, onProgress: (text) => told.push(text) });
  assert.equal(left.postgresLeftTo, 'restore-3f9a1c2b');
  assert.ok(told.includes(leftToRestore) && told.includes('the worker listens'), told.join('\n'));
  const worker = identityOf(left, 'worker');
  assert.equal(await isAlive(worker.pid, worker.startTime), true);
  assert.equal(
    await upByHand(dir, 4),
    `up, without postgres: restore-3f9a1c2b is in the middle of exchanging its data; \`holdfast show restore-3f9a1c2b\` tells whether it goes on, and where it does not, \`holdfast rollback restore-3f9a1c2b\` brings the old data back; use it with: -c ${first.configuration}`,
  );
  await rm(journal);
  assert.equal(await upByHand(dir, 0), `the sandbox is ready; use it with: -c ${first.configuration}`);
  assert.equal(await select(first.postgres.url, 'select 1'), 1);
});

test('a part that cannot be started again is named, the others are, one in the middle of a restore is left to it, and what was only half made is refused', async (unordered) => {
  const t = lastFirst(unordered);
  const dir = path.join(await temporaryDirectory(t), 'estate');
  const sandbox = await sandboxUp({ dir, worker: false });
  t.after(() => sandboxDown({ dir }).then(() => undefined));
  await sandboxDown({ dir });
  const regions = ['s3-eu', 's3-us'];
  for (const region of regions) await rename(path.join(dir, region, 'store.json'), path.join(dir, `hidden-${region}`));
  await assert.rejects(sandboxUp({ dir, worker: false }), (error) => {
    assert.ok(isHoldfastError(error, 'NOT_FOUND'));
    const failed = error.message.split('\n').map((line) => /^'(.+?)' of the sandbox in '.*' is down/.exec(line)?.[1]);
    assert.deepEqual(failed, ['s3-eu', 's3-us'], error.message);
    assert.match(error.message, /is down and cannot be started again: '.*store\.json'/);
    return error.hint.includes('type the same again');
  });
  assert.equal(await select(sandbox.postgres.url, 'select 1'), 1);
  for (const region of regions) await rename(path.join(dir, `hidden-${region}`), path.join(dir, region, 'store.json'));
  const whole = await sandboxUp({ dir, worker: false });
  assert.equal(whole.state, 'ready');

  // Whoever is at the exchange starts the server when it is done.
  await stopByPid(identityOf(whole, 'postgres'), { signal: 'SIGINT', graceMs: 60_000 });
  const journal = await beginExchange(whole);
  const told: string[] = [];
  const left = await sandboxUp({ dir, worker: false, onProgress: (text) => told.push(text) });
  assert.deepEqual(told, [leftToRestore]);
  assert.deepEqual(left, { ...whole, postgresLeftTo: 'restore-3f9a1c2b' });
  assert.match(await upByHand(dir, 4), /^up, without postgres: .* `holdfast rollback restore-3f9a1c2b --standalone` /);

  // What the journal does not tell is a reason like any other.
  await rm(journal);
  await mkdir(journal);
  await assert.rejects(sandboxUp({ dir, worker: false }), /^HoldfastError: 'postgres' of the sandbox in /);

  const half = path.join(dir, 'half');
  await mkdir(half);
  await writeFile(path.join(half, 'sandbox.json'), JSON.stringify({ state: 'stopped', directory: half, pids: {} }));
  await assert.rejects(sandboxUp({ dir: half }), (error) => {
    assert.ok(isHoldfastError(error, 'TARGET_UNFIT'));
    return error.message === `'${half}' holds a sandbox whose first start did not come to its end`;
  });
});

function endpointPort(sandbox: Sandbox): string {
  return new URL(sandbox.copies.eu.endpoint).port;
}

test('two sandboxes stand side by side, on different majors, and go down one by one', async (t) => {
  const parent = await temporaryDirectory(t);
  const [first, second] = [path.join(parent, 'one'), path.join(parent, 'one-more')];
  const [one, two] = await Promise.all([
    sandboxUp({ dir: first, worker: false, postgres: 15 }),
    sandboxUp({ dir: second, worker: false, postgres: 17 }),
  ]);
  assert.match(String(await select(one.postgres.url, 'show server_version')), /^15\./);
  assert.match(String(await select(two.postgres.url, 'show server_version')), /^17\./);
  // A directory that sandboxes lie in is none, whatever servers work below it.
  await assert.rejects(sandboxDown({ dir: parent }), (error) => {
    assert.ok(isHoldfastError(error, 'NOT_FOUND'));
    return error.hint.includes(`'${first}', '${second}'`);
  });
  assert.deepEqual((await readdir(parent)).toSorted(), ['one', 'one-more']);
  // One that lies in another's directory is not that one's, either.
  await writeFile(path.join(parent, 'sandbox.json'), JSON.stringify({ state: 'ready', directory: parent, pids: {} }));
  assert.deepEqual((await sandboxDown({ dir: parent })).stopped, []);
  assert.equal(await select(one.postgres.url, 'select 1'), 1);
  assert.equal((await sandboxDown({ dir: first })).stopped.length, 4);
  assert.equal(await select(two.postgres.url, 'select 1'), 1);
  assert.equal(await storeAndFetch(two.copies.eu), 'eu-central-1');
  assert.equal((await sandboxDown({ dir: second })).stopped.length, 4);
  assert.deepEqual(await processesOf(parent), []);
});

/** Kills `up` with SIGKILL when `condition` has come true of it. */
async function killUp(dir: string, condition: (up: Awaited<ReturnType<typeof start>>) => Promise<void>): Promise<void> {
  const up = await startProcess(process.execPath, [script, dir]);
  await condition(up);
  process.kill(up.pid, 'SIGKILL');
  assert.equal((await up.finished).signal, 'SIGKILL');
}

/** Whoever holds the lock for the one that was killed ends a moment after it. */
async function downOnceFree(dir: string): Promise<DownResult> {
  return await waitFor('the lock of the dead to be free', () =>
    sandboxDown({ dir }).catch((error: unknown) => {
      if (!isHoldfastError(error, 'LOCKED')) throw error;
      return undefined;
    }),
  );
}

/** At once, early, in the middle, and when the first and the third server are ready. */
const killPoints: Record<string, (up: Awaited<ReturnType<typeof start>>) => Promise<void>> = {
  'after 0.3 s': () => pause(300),
  'after 0.6 s': () => pause(600),
  'after 0.9 s': () => pause(900),
  'when the first server is ready': (up) => lines(up.stdout, 1),
  'when the third server is ready': (up) => lines(up.stdout, 3),
};

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

async function lines(stream: Readable | undefined, count: number): Promise<void> {
  assert.ok(stream);
  let seen = 0;
  for await (const _ of createInterface({ input: stream })) if (++seen === count) return;
}

for (const [when, condition] of Object.entries(killPoints)) {
  test(`when up is killed ${when}, down leaves no orphan`, async (t) => {
    const dir = path.join(await temporaryDirectory(t), 'estate');
    await mkdir(dir);
    await killUp(dir, condition);
    const { stopped } = await downOnceFree(dir);
    t.diagnostic(`stopped ${stopped.map(({ part }) => part).join(', ') || 'nothing'}`);
    // What a program that died with `up` had started, such as initdb's server, ends when it hears of it.
    await waitFor('all to be gone', async () => (await processesOf(dir)).length === 0).catch(() => undefined);
    assert.deepEqual(await processesOf(dir), []);
    assert.deepEqual((await sandboxDown({ dir })).stopped, []);
  });
}

test('when a server cannot be started, up says why and leaves nothing running', async (t) => {
  const dir = path.join(await temporaryDirectory(t), 'estate');
  await assert.rejects(sandboxUp({ dir, worker: false, postgres: 9 }), (error) => {
    assert.ok(isHoldfastError(error, 'PROGRAM_MISSING'));
    return error.message.startsWith('PostgreSQL 9 is not set up, only 15');
  });
  assert.deepEqual(await processesOf(dir), []);
});

test('up refuses a directory with other content, down one that is not there', async (t) => {
  const dir = await temporaryDirectory(t);
  await writeFile(path.join(dir, 'precious'), 'data');
  await assert.rejects(sandboxUp({ dir }), (error) => isHoldfastError(error, 'TARGET_UNFIT'));
  assert.equal(await readFile(path.join(dir, 'precious'), 'utf8'), 'data');
  await assert.rejects(sandboxDown({ dir: path.join(dir, 'nothing') }), (error) => isHoldfastError(error, 'NOT_FOUND'));
});

test('down is refused while up is at work', async (t) => {
  const dir = path.join(await temporaryDirectory(t), 'estate');
  const isAtWork = Promise.withResolvers<void>();
  const starting = sandboxUp({ dir, worker: false, onProgress: () => isAtWork.resolve() });
  try {
    await Promise.race([isAtWork.promise, starting]);
    await assert.rejects(sandboxDown({ dir }), (error) => isHoldfastError(error, 'LOCKED'));
  } finally {
    await starting;
    await sandboxDown({ dir });
  }
});
