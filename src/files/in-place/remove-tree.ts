// A tree of a run removed for good: one directory after the other, each opened by its own name, and none that is on another mount.

import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, constants, fchmodSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { shownPath, textOfPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { lookAt, mountOf, type NameIn, openPlace, pathIn } from '../../system/index.ts';
import { move } from './moving.ts';
import { openPart, type Part, type RunPlace } from './place.ts';

const OPEN = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Names between two questions whether this may go on. */
const NAMES_A_CHECK = 256;

/**
 * Every directory is first moved to the top of `trash`, so that depth costs nothing and whoever is killed finds there what is left. What cannot be moved is a
 * mount point. Throws `TARGET_UNFIT` for it, and removes nothing that is on it.
 */
export async function removeTrees(place: RunPlace, parts: readonly Part[], check: () => Promise<void>): Promise<void> {
  const handle = openPart(place, 'trash');
  try {
    for (const part of parts) moveToTop(handle, { directory: place.handle, name: part });
    for (;;) {
      const names = readdirSync(`/proc/self/fd/${handle}`);
      if (names.length === 0) break;
      for (const name of names) await removeDirectory(place, handle, name, check);
    }
  } finally {
    closeSync(handle);
  }
  await check();
  rmdirSync(pathIn({ directory: place.handle, name: 'trash' }));
}

async function removeDirectory(
  place: RunPlace,
  trash: number,
  inTrash: string,
  check: () => Promise<void>,
): Promise<void> {
  await check();
  const name = { directory: trash, name: inTrash };
  const handle = openForRemoval(name);
  try {
    if (mountOf(handle) !== mountOf(place.handle)) refuseMount(place, inTrash);
    const names = readdirSync(`/proc/self/fd/${handle}`, 'buffer').map((bytes) => textOfPath(bytes));
    for (const [number, each] of names.entries()) {
      if (number % NAMES_A_CHECK === 0) await check();
      removeName(place, trash, { directory: handle, name: each });
    }
  } finally {
    closeSync(handle);
  }
  rmdirSync(pathIn(name));
}

function removeName(place: RunPlace, trash: number, name: NameIn): void {
  try {
    if (lookAt(name)?.isDirectory()) moveToTop(trash, name);
    else unlinkSync(pathIn(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBUSY' || code === 'EXDEV') refuseMount(place, name.name, error);
    if (code !== 'ENOENT') throw error;
  }
}

/** Who moves a directory must be able to write into it. */
function moveToTop(trash: number, name: NameIn): void {
  const to = { directory: trash, name: randomUUID() };
  try {
    move(name, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    makeWritable(name);
    move(name, to);
  }
}

function openForRemoval(name: NameIn): number {
  let handle: number;
  try {
    handle = openSync(pathIn(name), OPEN);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    makeWritable(name);
    handle = openSync(pathIn(name), OPEN);
  }
  fchmodSync(handle, 0o700);
  return handle;
}

function makeWritable(name: NameIn): void {
  const handle = openPlace(name, constants.O_DIRECTORY);
  try {
    chmodSync(`/proc/self/fd/${handle}`, 0o700);
  } finally {
    closeSync(handle);
  }
}

function refuseMount({ shown }: RunPlace, name: string, cause?: unknown): never {
  fail('TARGET_UNFIT', `'${shownPath(name)}' in '${shown}' is a mount: what is mounted is not ours to remove`, {
    hint: 'unmount it, then confirm or roll back again: the rest is removed then',
    cause,
  });
}
