// Whether a server works in a data directory: servers make it their working directory, which the kernel tells.

import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../errors/index.ts';

/** After its manager said that it has stopped. */
const END_LIMIT_MS = 60_000;
const POLL_MS = 100;
const SERVER = /^(redis|valkey)-server/;

/** Process id of a server that works there. Throws `TARGET_UNFIT` when there is a server of which it cannot be told. */
export async function serverIn(directory: string): Promise<number | undefined> {
  const real = await realpath(directory);
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const program = await readFile(`/proc/${name}/comm`, 'utf8').catch(() => '');
    if (!SERVER.test(program)) continue;
    const place = await readlink(`/proc/${name}/cwd`).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
      return fail(
        'TARGET_UNFIT',
        `whether the server of process ${name} works in '${directory}' cannot be told: ${error.code}`,
        {
          hint: 'run the worker as root or as the user of the server',
        },
      );
    });
    if (place === real) return Number(name);
  }
  return undefined;
}

/** Waits for a server that was told to end. Throws `TARGET_UNFIT` when it stays. */
export async function untilUnused(directory: string): Promise<void> {
  for (const giveUpAt = performance.now() + END_LIMIT_MS; performance.now() < giveUpAt; await sleep(POLL_MS)) {
    if ((await serverIn(directory)) === undefined) return;
  }
  await requireUnused(directory);
}

/** Throws `TARGET_UNFIT`. */
export async function requireUnused(directory: string): Promise<void> {
  const pid = await serverIn(directory);
  if (pid === undefined) return;
  fail('TARGET_UNFIT', `a server (process ${pid}) works in '${directory}'`, {
    hint: "stop it first, or name its 'service' in the configuration; or restore live",
  });
}
