// The script that answers a recovering server: what it may say is missing, and what it must never.

import assert from 'node:assert/strict';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { restorePaths } from '../../../../src/postgres/recovery/paths.ts';
import { restoreCommand } from '../../../../src/postgres/recovery/restore-command.ts';
import { tryRun } from '../../../../src/process/index.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';
import { waitFor } from '../../../support/wait-for.ts';

async function spool(t: TestContext, script = restoreCommand) {
  const directory = await temporaryDirectory(t);
  const paths = { ...restorePaths(path.join(directory, 'data'), 'restore-1'), spool: directory };
  for (const name of ['ready', 'wanted']) await mkdir(path.join(directory, name));
  await writeFile(path.join(directory, 'list'), '000000010000000000000001\n00000002.history\n');
  await writeFile(path.join(directory, 'heartbeat'), '1\n');
  const file = path.join(directory, 'command.sh');
  await writeFile(file, script(paths), { mode: 0o755 });
  const ask = (name: string) => tryRun('sh', [file, name, path.join(directory, 'out')], { deadlineMs: 60_000 });
  return { directory, ask, out: () => readFile(path.join(directory, 'out'), 'utf8') };
}

const known = '000000010000000000000001';

test('what is ready gets a second name, and stays for the next time', async (t) => {
  const { directory, ask, out } = await spool(t);
  const ready = path.join(directory, 'ready', known);
  await writeFile(ready, 'log');
  assert.equal((await ask(known)).exitCode, 0);
  assert.equal((await stat(path.join(directory, 'out'))).ino, (await stat(ready)).ino, 'nothing was copied');
  assert.ok(await stat(path.join(directory, 'wanted', known)), 'the feed hears how far the server is');
  assert.deepEqual([await out(), await readFile(ready, 'utf8')], ['log', 'log']);
});

test('what is there already is for another, or from another: it stays as it is, and recovery ends', async (t) => {
  const other = '00000002.history';
  const askOver = async (script?: typeof restoreCommand) => {
    const { directory, ask, out } = await spool(t, script);
    await writeFile(path.join(directory, 'ready', known), 'log');
    await writeFile(path.join(directory, 'ready', other), 'of the other');
    await link(path.join(directory, 'ready', known), path.join(directory, 'out'));
    const { exitCode } = await ask(other);
    return [exitCode, await out(), await readFile(path.join(directory, 'ready', known), 'utf8')];
  };
  assert.deepEqual(await askOver(), [255, 'log', 'log']);
  const careless = await askOver((paths) => restoreCommand(paths).replace('[ ! -e "$target" ] || exit 255', ''));
  assert.deepEqual(
    careless,
    [0, 'of the other', 'of the other'],
    'a script that writes over what is there is told by this',
  );
});

test('where it cannot be a link it is a copy', async (t) => {
  const { directory, ask, out } = await spool(t, (paths) => restoreCommand(paths).replace('ln ', 'false '));
  await writeFile(path.join(directory, 'ready', known), 'log');
  assert.equal((await ask(known)).exitCode, 0);
  assert.equal(await out(), 'log');
});

test('a spool that takes no wish ends recovery, whatever the shell makes of it', async (t) => {
  for (const isReady of [false, true]) {
    const { directory, ask } = await spool(t);
    if (isReady) await writeFile(path.join(directory, 'ready', known), 'log');
    await rm(path.join(directory, 'wanted'), { recursive: true });
    assert.equal((await ask(known)).exitCode, 255);
  }
});

test('only a name outside the frozen list does not exist', async (t) => {
  const { ask } = await spool(t);
  assert.equal((await ask('000000010000000000000002')).exitCode, 1);
  assert.equal((await ask('00000001000000000000000')).exitCode, 1, 'part of a name is another name');
  assert.equal((await ask('00000003.history')).exitCode, 1);
});

test('without its list it knows nothing, and recovery ends', async (t) => {
  const { directory, ask } = await spool(t);
  await rm(path.join(directory, 'list'));
  assert.equal((await ask('000000010000000000000002')).exitCode, 255);
  assert.equal((await ask('')).exitCode, 255);
});

test('a planned file that was given up ends recovery', async (t) => {
  const { directory, ask } = await spool(t);
  await writeFile(path.join(directory, 'failed'), 'no copy has it');
  assert.equal((await ask(known)).exitCode, 255);
});

test('a heartbeat that stands still ends recovery; one that goes on is waited for', async (t) => {
  const hasty = (paths: Parameters<typeof restoreCommand>[0]) => restoreCommand(paths).replace(/limit=\d+/, 'limit=1');
  const silent = await spool(t, hasty);
  assert.equal((await silent.ask(known)).exitCode, 255);
  // Beats by the script's own clock, which a busy machine stretches too, when it would soon have given up.
  const beat = 'if [ "$still" -ge 15 ]; then echo x >> "$spool/heartbeat"; fi; sleep 0.05';
  const { directory, ask } = await spool(t, (paths) => hasty(paths).replace('sleep 0.05', beat));
  const asking = ask(known);
  await waitFor('it to have waited for longer than it waits for one that stands still', async () => {
    return (await readFile(path.join(directory, 'heartbeat'), 'utf8')).split('x').length > 3;
  });
  await writeFile(path.join(directory, 'ready', known), 'late');
  assert.equal((await asking).exitCode, 0);
});
