// Names and lines that are on the disk when these return, and the one answer that means that something is not there.

import { constants } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A name that was given, taken or removed is durable when the directory that holds it is. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Adds a whole line to a file of lines, which is made, with its directory, where there is none. */
export async function appendLine(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, 'a+', 0o600);
  try {
    // What a crash left of a line would make the next one unreadable.
    const text = await handle.readFile('utf8');
    const whole = Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1));
    if (whole !== Buffer.byteLength(text)) await handle.truncate(whole);
    await handle.appendFile(`${line}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(file));
}

/** False only when the file system says that there is nothing of that name; any other answer is not an absence. */
export async function isThere(place: string | Buffer): Promise<boolean> {
  try {
    await lstat(place);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}
