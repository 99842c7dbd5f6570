// Which user the database servers of the sandbox run as, and whether that user can get to where they are to run.

import { chown, mkdir } from 'node:fs/promises';
import { fail, isHoldfastError } from '../errors/index.ts';
import { findUser, tryRun } from '../process/index.ts';

/** PostgreSQL refuses root. `postgres` exists where a server package is installed; `nobody` exists everywhere, so nothing is added to the system. */
const candidates = ['postgres', 'nobody'];

/** `undefined` when we are not root: then servers run as we do. */
export async function serverUser(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of candidates) {
    try {
      return (await findUser(name)).name;
    } catch (error) {
      if (!isHoldfastError(error, 'TARGET_UNFIT')) throw error;
    }
  }
  return fail(
    'TARGET_UNFIT',
    `PostgreSQL does not run as root, and this host has none of the users ${candidates.join(', ')}`,
  );
}

/** Makes a directory that belongs to the user. Throws `TARGET_UNFIT` when a parent is closed to it, as /root is. */
export async function makeDirectoryFor(user: string | undefined, directory: string, mode = 0o755): Promise<void> {
  await mkdir(directory, { recursive: true, mode });
  if (user === undefined) return;
  const { uid, gid } = await findUser(user);
  await chown(directory, uid, gid);
  const { exitCode } = await tryRun('test', ['-w', directory], { runAs: user, cwd: '/' });
  if (exitCode !== 0) {
    fail('TARGET_UNFIT', `user '${user}', which the database server runs as, cannot reach '${directory}'`, {
      hint: 'choose a directory whose parents everybody may enter, such as one below /tmp or /srv',
    });
  }
}
