// How long a process has been there is told by the kernel's ticks: not by what a container shows as its uptime, nor by when its program began.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { run, secondsAlive } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('a process is as old as it is, also where the uptime is that of a container and a script came before the program', async (t) => {
  const uptime = path.join(await temporaryDirectory(t), 'uptime');
  // As in a container that was started a moment ago, on a host that runs for months.
  await writeFile(uptime, '0.50 0.50\n');
  const index = path.resolve(import.meta.dirname, '../../../src/process/index.ts');
  const program = `
    import { secondsAlive } from ${JSON.stringify(index)};
    process.stdout.write(JSON.stringify([await secondsAlive(${process.pid}), await secondsAlive(process.pid)]));`;
  const script = 'mount --bind "$1" /proc/uptime && sleep 1 && exec "$2" --input-type=module -e "$3"';
  const outside = (await secondsAlive(process.pid)) ?? Number.NaN;
  const command = ['--mount', 'sh', '-c', script, 'sh', uptime, process.execPath, program];
  const { stdout } = await run('unshare', command, { deadlineMs: 120_000 });
  const [ours, its] = JSON.parse(stdout) as number[];
  assert.ok(ours !== undefined && ours >= outside + 1, stdout);
  assert.ok(its !== undefined && its >= 1, stdout);
  assert.ok(its <= ours, stdout);
  assert.ok(outside >= 0 && outside <= process.uptime() + 600, String(outside));
});

test('of a process that is not there it is not known', async () => {
  assert.equal(await secondsAlive(2 ** 22 + 1), undefined);
});
