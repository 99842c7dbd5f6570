// Takes the S3 regions of a sandbox away and gives them back: as a cut cable (nothing answers) or as a dead machine.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { start, stopByPid } from '../../src/process/index.ts';
import { findSandboxProcesses } from '../../src/sandbox/find-processes.ts';
import type { Sandbox } from '../../src/sandbox/index.ts';
import { bucketObjects } from './estate-objects.ts';
import { waitFor } from './wait-for.ts';

type Region = 'eu' | 'us';

async function serverOf(sandbox: Sandbox, region: Region) {
  const all = await findSandboxProcesses(sandbox.directory);
  const server = all.find(({ part }) => part === `s3-${region}`);
  if (server === undefined) throw new Error(`the region ${region} does not run`);
  return server;
}

/** Connections stay open and new ones are made by the kernel; nobody answers. Gives what ends it. */
export async function cutCable(sandbox: Sandbox, region: Region): Promise<() => void> {
  const { pid } = await serverOf(sandbox, region);
  process.kill(pid, 'SIGSTOP');
  return () => process.kill(pid, 'SIGCONT');
}

/** Connections are refused. Gives what starts it again on the same data and ports, and waits until it answers. */
export async function powerOff(sandbox: Sandbox, region: Region): Promise<() => Promise<void>> {
  const server = await serverOf(sandbox, region);
  const [command = '', ...args] = server.commandLine.filter((word) => word !== '');
  const environment = (await readFile(`/proc/${server.pid}/environ`, 'utf8')).split('\0').filter((line) => line !== '');
  const env = Object.fromEntries(environment.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
  await stopByPid(server, { signal: 'SIGKILL', graceMs: 30_000, group: true });
  return async () => {
    await start(command, args, { env, outlive: true, logFile: path.join(sandbox.logs, `s3-${region}.log`) });
    const { copies } = sandbox;
    const answers = () =>
      bucketObjects(copies[region]).then(
        (objects) => objects.size > 0,
        () => false,
      );
    await waitFor(`the region ${region} to answer`, answers, { limitMs: 180_000, pauseMs: 200 });
  };
}
