// Secrets of a real estate are looked for in all it leaves behind: histories, logs, command lines, outputs, and errors.

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { tryRun } from '../../src/process/index.ts';
import { estateSandbox } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const { directory } = sandbox;
const planted = 'planted-7d1f0c55a9e24b3b';

/** What the search looks through, by where it was found. */
const seen = new Map<string, string>();

const connection = await Connection.connect({ address: sandbox.temporal.address });
after(() => connection.close());

async function secrets(): Promise<Record<string, string>> {
  const file = async (name: string) => (await readFile(path.join(directory, 'secrets', name), 'utf8')).trim();
  const key = (await file('vault.key')).split(':')[1] ?? '';
  return {
    'database password': decodeURIComponent(new URL(await file('database-url')).password),
    'eu secret key': await file('eu-secret-key'),
    'us secret key': await file('us-secret-key'),
    passphrase: await file('passphrase'),
    'vault key': key,
  };
}

function look(secret: string): string[] {
  const forms = [secret, Buffer.from(secret).toString('base64').replace(/.?=*$/, ''), encodeURIComponent(secret)];
  return [...seen].filter(([, text]) => forms.some((form) => text.includes(form))).map(([where]) => where);
}

/** All that a value holds, payloads as the text they are: a JSON of it would show them in base64, where nothing is found. */
function* texts(value: unknown): Generator<string> {
  if (value instanceof Uint8Array) yield Buffer.from(value).toString('latin1');
  else if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      yield name;
      yield* texts(inner);
    }
  }
}

/** Runs a command and keeps what it printed, and what everybody could see of it while it ran. */
async function tell(...args: string[]): Promise<number | undefined> {
  return tellWith(sandbox.configuration, args);
}

async function tellWith(configuration: string, args: string[]): Promise<number | undefined> {
  let over = false;
  const watching = (async () => {
    for (; !over; ) {
      const { stdout } = await tryRun('ps', ['-eo', 'args', '-ww']);
      const where = `ps during ${args.join(' ')}`;
      seen.set(where, `${seen.get(where) ?? ''}${stdout}`);
    }
  })();
  const { exit, stdout, stderr } = await estate.holdfast(args, configuration);
  over = true;
  await watching;
  seen.set(`output of ${args.join(' ')} ${configuration}`, `${stdout}${stderr}`);
  return exit;
}

test('an estate that works, and that fails, is looked at', async () => {
  await estate.query('create table t as select 1 as n');
  assert.equal(await tell('backup', 'database/main', '--yes'), 0);
  // A worker that takes long on a busy machine is a finding.
  await waitFor('a status without a finding', async () => (await tell('status')) === 0, { limitMs: 300_000 });
  assert.equal(await tell('config', 'show'), 0);
  for (const command of [['list'], ['history'], ['copies'], ['schedules', 'list'], ['show', 'database/main']]) {
    await tell(...command);
  }
  assert.equal(await tell('check', 'database/main'), 0);
  const beside = path.join(path.dirname(sandbox.postgres.dataDirectory), 'beside');
  assert.equal(await tell('restore', 'database/main', '--to', 'latest', '--beside', beside, '--yes'), 0);
  assert.equal(await tell('restore', 'database/main', '--to', '2001-01-01T00:00:00Z', '--yes'), 3);
});

test('commands fail with the real secrets at hand', async () => {
  const text = await readFile(sandbox.configuration, 'utf8');
  const [port, other] = [String(sandbox.postgres.port), '1'];
  const url = await readFile(path.join(directory, 'secrets', 'database-url'), 'utf8');
  // Beside the real one, so that what it refers to is found: the same secrets, servers that are not there.
  await writeFile(path.join(directory, 'secrets', 'wrong-port-url'), url.replace(`:${port}/`, `:${other}/`), {
    mode: 0o600,
  });
  await writeFile(path.join(directory, 'secrets', 'wrong-name-url'), url.replace('holdfast:', 'nobody:'), {
    mode: 0o600,
  });
  const variants: Record<string, string> = {
    'wrong-port': text.replace('secrets/database-url', 'secrets/wrong-port-url'),
    'wrong-role': text.replace('secrets/database-url', 'secrets/wrong-name-url'),
    'wrong-endpoint': text.replace(sandbox.copies.eu.endpoint, 'http://127.0.0.1:1'),
    'swapped-keys': text.replaceAll('secrets/eu-secret-key', 'secrets/us-secret-key'),
    'no-temporal': text.replace(sandbox.temporal.address, '127.0.0.1:1'),
  };
  for (const [name, changed] of Object.entries(variants)) {
    assert.notEqual(changed, text, name);
    const configuration = path.join(directory, `${name}.yaml`);
    await writeFile(configuration, changed);
    for (const args of [['setup', '--dry-run'], ['status'], ['copies']]) await tellWith(configuration, args);
  }
});

test('no secret is in any history, log, command line or output; a planted word is found by the same search', async (t) => {
  const temporal = new Client({ connection });
  await writeFile(path.join(sandbox.logs, 'planted.log'), `{"password":"${planted}"}\n`);
  await temporal.workflow.start('nobodyRunsThis', {
    ...{ taskQueue: 'planted', workflowId: 'planted', args: [{ password: planted }] },
  });
  let histories = 0;
  await waitFor('the planted history to be listed', async () => {
    for await (const { workflowId, runId } of temporal.workflow.list()) {
      const history = await temporal.workflow.getHandle(workflowId, runId).fetchHistory();
      const text = [...texts(history)].join('\n');
      seen.set(`history ${workflowId} ${runId}`, text);
    }
    histories = [...seen.keys()].filter((where) => where.startsWith('history ')).length;
    return seen.has([...seen.keys()].find((where) => where.startsWith('history planted ')) ?? '');
  });
  for (const name of await readdir(sandbox.logs))
    seen.set(`log ${name}`, await readFile(path.join(sandbox.logs, name), 'latin1'));
  // The same for a command line and an output.
  await tell('show', planted);
  const places = new Set(look(planted).map((where) => where.split(' ')[0]));
  assert.deepEqual([...places].toSorted(), ['history', 'log', 'output', 'ps']);
  t.diagnostic(`${seen.size} places, ${histories} histories`);
  assert.ok(histories > 10 && seen.size > 40, `${histories} histories, ${seen.size} places`);
  for (const [name, secret] of Object.entries(await secrets())) {
    assert.ok(secret.length >= 32, `${name} is not read right`);
    assert.deepEqual(look(secret), [], name);
  }
});
