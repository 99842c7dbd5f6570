// Whether a server works in a data directory: servers make it their working directory, which the kernel tells.

import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { fail } from '../../errors/index.ts';

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

/** Throws `TARGET_UNFIT`. */
export async function requireUnused(directory: string): Promise<void> {
  const pid = await serverIn(directory);
  if (pid === undefined) return;
  fail('TARGET_UNFIT', `a server (process ${pid}) works in '${directory}'`, {
    hint: "stop it first, or name its 'service' in the configuration; or restore live",
  });
}
