// Servers that restores beside have left, when the sandbox that started them is taken down: each is ended, or named once with a command that ends it.

import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { findWorkers, run as runProgram, start } from '../../src/process/index.ts';
import { estateSandbox, type Json } from '../support/estate-sandbox.ts';
import { testRedis } from '../support/redis-server.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait-for.ts';

const scope = { after: (fn: () => Promise<void>) => void after(fn) };
const estate = await estateSandbox();
const { sandbox } = estate;
const { directory } = sandbox;
const server = await testRedis(scope, { kind: 'redis8' });
const outside = await temporaryDirectory(scope);
await chmod(outside, 0o777);
const at = (name: string) => path.join(name.startsWith('other') ? outside : directory, name);
const places = ['look', 'clone', 'other-look', 'other-clone'];
const kindOf = (name: string) => (name.endsWith('look') ? 'redis/cache' : 'database/main');

const PROGRAM = /^(postgres|redis-server)$/;
const works = async (name: string) => (await findWorkers(at(name), PROGRAM)).pids.length > 0;

let runs: readonly string[];

test('servers that restores beside have started are told by status, each with its run', async () => {
  await appendFile(
    sandbox.configuration,
    `\nredis:\n  cache:\n    host: here\n    url: "file:secrets/redis-url"\n    programs: ${server.programs}\n    backup: { rdb: "every 2h" }\n    keep: { rdb: 30d }\n    objective: { rpo: 2h }\n`,
  );
  await writeFile(path.join(directory, 'secrets', 'redis-url'), `${server.url}\n`);
  await estate.killWorker();
  await estate.startWorker();
  await server.cli('SET', 'key', 'value');
  for (const component of ['redis/cache', 'database/main']) await estate.done('backup', component);
  const started: string[] = [];
  for (const name of places) {
    const { run } = await estate.done('restore', kindOf(name), '--to', 'latest', '--beside', at(name), '--start');
    started.push(run.id);
  }
  runs = started;
  for (const name of places) assert.ok(await works(name), name);
  const { components } = (await estate.holdfast(['status'])).json;
  const told = components.flatMap(({ restores = [] }: Json) => restores.map(({ run, state }: Json) => [run, state]));
  assert.deepEqual(told.sort(), runs.map((run) => [run, 'serving']).sort());
});

test('a history without what the vault keeps says that it is not whole, and where the rest is', async () => {
  assert.equal((await estate.heard('history')).json.warnings, undefined);
  await estate.killWorker();
  const { exit, json } = await estate.holdfast(['history']);
  assert.equal(exit, 0);
  assert.match(json.warnings.join(), /this list is not whole: .*`holdfast history --standalone`/);
  await estate.startWorker();
});

test('down ends those below its directory and nobody else there, and names the others once, each with a command that ends it without Temporal', async () => {
  const own = path.join(directory, 'own');
  await mkdir(own);
  await writeFile(path.join(own, 'redis.conf'), `port 0\nunixsocket ${own}/s\ndir ${own}\nsave ""\n`);
  const bystander = await start(path.join(server.programs, 'redis-server'), [path.join(own, 'redis.conf')], {
    logFile: path.join(own, 'log'),
  });
  after(() => bystander.stop({ signal: 'SIGKILL' }).then(() => undefined));
  await waitFor('a server of somebody else', async () => await works('own'));
  const { message, sandbox: down } = await estate.done('sandbox', 'down', '--dir', directory);
  const stopped = down.stopped.map(({ part, dataDirectory = '' }: Json) => `${part} ${dataDirectory}`.trim());
  const below = [`postgres ${at('clone')}`, `redis ${at('look')}`];
  assert.deepEqual(stopped.sort(), ['postgres', 's3-eu', 's3-us', 'temporal', 'worker', ...below].sort());
  assert.deepEqual([await works('look'), await works('clone'), await works('own')], [false, false, true]);
  const left = down.left.map(({ run, component, dataDirectory }: Json) => [run, component, dataDirectory]);
  const others = [
    [runs[2], 'redis/cache', at('other-look')],
    [runs[3], 'database/main', at('other-clone')],
  ];
  assert.deepEqual(left.sort(), others.sort());
  assert.deepEqual(down.notKnown, []);
  for (const each of down.left) {
    assert.equal(message.split(each.run).length, 3, message);
    assert.ok(message.includes(`\`${each.stop}\` ends it`), message);
  }
  const { exit, json } = await estate.holdfast(['stop', runs[2] ?? '']);
  assert.deepEqual([exit, json.error.code], [1, 'TEMPORAL_UNREACHABLE']);
  assert.match(json.error.hint, /'--standalone'/);
  // Again it names them: they still run.
  const again = await estate.done('sandbox', 'down', '--dir', directory);
  assert.deepEqual([again.sandbox.stopped, again.sandbox.left], [[], down.left]);
  for (const { stop } of down.left) {
    const [, ...words] = stop.split(' ');
    const { stdout } = await runProgram(path.resolve(import.meta.dirname, '../../bin/holdfast'), words, {
      deadlineMs: 120_000,
    });
    assert.match(stdout, /the server of restore-\w+ stopped; its data is in/);
  }
  for (const name of places) assert.equal(await works(name), false, name);
  const last = await estate.done('sandbox', 'down', '--dir', directory);
  assert.deepEqual([last.message, last.sandbox.left], ['nothing was running', []]);
  // One that has ended is said to have ended, and what is below the directory of the sandbox can be told the same.
  const { message: gone } = await estate.done('stop', runs[1] ?? '', '--standalone');
  assert.match(gone, /was not running any more/);
});
