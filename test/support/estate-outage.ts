// Takes the S3 regions of a sandbox away and gives them back: as a cut cable (nothing answers) or as a dead machine.

import path from 'node:path';
import { stopByPid } from '../../src/process/index.ts';
import { findSandboxProcesses, sandboxMark } from '../../src/sandbox/find-processes.ts';
import type { Sandbox } from '../../src/sandbox/index.ts';
import { startSeaweedAgain } from '../../src/sandbox/seaweed.ts';
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
  await stopByPid(server, { signal: 'SIGKILL', graceMs: 30_000, group: true });
  return async () => {
    const part = `s3-${region}`;
    await startSeaweedAgain({
      ...{ dir: path.join(sandbox.directory, part), region: sandbox.copies[region].region, outlive: true },
      ...{ env: sandboxMark(sandbox.directory, part), logFile: path.join(sandbox.logs, `${part}.log`) },
    });
    const { copies } = sandbox;
    const answers = () =>
      bucketObjects(copies[region]).then(
        (objects) => objects.size > 0,
        () => false,
      );
    await waitFor(`the region ${region} to answer`, answers, { limitMs: 180_000, pauseMs: 200 });
  };
}
