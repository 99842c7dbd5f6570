// Which servers below a directory are a sandbox's to end: those of a sandbox in it, and of a container that calls its own place the same, are not.

import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../../../src/process/index.ts';
import { findSandboxProcesses } from '../../../src/sandbox/find-processes.ts';
import { giveToServer, serverUser, startScratchPostgres } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const isRoot = process.getuid?.() === 0;

test('a database server below the directory is found, unless a sandbox that lies nearer has it, or the name is that of another place', async (t) => {
  const place = await temporaryDirectory(t);
  const server = await startScratchPostgres(t, { major: 17 });
  const { directory, dataDirectory } = server;
  const found = async (below: string) => (await findSandboxProcesses(below)).map((each) => each.dataDirectory);
  assert.deepEqual(await found(directory), [dataDirectory]);
  const nearer = path.join(dataDirectory, 'sandbox.json');
  await writeFile(nearer, '{}');
  assert.deepEqual(await found(directory), []);
  assert.deepEqual(await found(dataDirectory), [dataDirectory]);
  await rm(nearer);
  if (!isRoot) return;
  await server.stop();
  const same = path.join(place, 'data');
  await mkdir(same);
  await giveToServer(place, same);
  const command = `mount --bind ${dataDirectory} ${same} && cd ${same} && exec setpriv --reuid=${serverUser.runAs} --regid=${serverUser.runAs} --init-groups ${server.bin('postgres')} -D ${same}`;
  const other = await start('unshare', ['--mount', 'sh', '-c', command], { logFile: path.join(place, 'log') });
  t.after(() => other.stop({ signal: 'SIGQUIT' }).then(() => undefined));
  const name = async () => await readFile(`/proc/${other.pid}/comm`, 'utf8');
  const works = async () => (await readFile(path.join(dataDirectory, 'postmaster.pid'), 'utf8')).includes('ready');
  await waitFor('a server in a mount namespace of its own', async () => await works().catch(() => false));
  assert.equal((await name()).trim(), 'postgres');
  assert.deepEqual(await found(place), []);
});
