// Key files: one line that opens the vault; made once, never overwritten, and refused when others may read it.

import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail, isHoldfastError } from '../errors/index.ts';
import { syncDirectory } from '../system/index.ts';
import { KEY_BYTES } from './crypto.ts';

const LINE = /^holdfast-key-1:([0-9a-f]{64})\s*$/;

/**
 * Makes a key file with mode 0600 (its directory with 0700): whole and durable, or not at all. Throws `TARGET_UNFIT` when the file exists or
 * the directory does not take it.
 */
export async function generateKeyFile(path: string): Promise<void> {
  // What an attempt that died left there opens nothing: no slot is made before the file has its name.
  const unfinished = `${path}.unfinished`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rm(unfinished, { force: true });
    const file = await open(unfinished, 'wx', 0o600);
    try {
      await file.writeFile(`holdfast-key-1:${randomBytes(KEY_BYTES).toString('hex')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(unfinished, 0o600); // whatever the umask says
    await link(unfinished, path);
    await rm(unfinished);
    await syncDirectory(dirname(path));
  } catch (cause) {
    throw unfitFor(path, cause);
  }
}

/** What the file system says about a place for a key file. */
export function unfitFor(path: string, cause: unknown): never {
  if (isHoldfastError(cause) || !(cause instanceof Error && 'code' in cause)) throw cause;
  if (cause.code === 'EEXIST') {
    fail('TARGET_UNFIT', `'${path}' exists and a key is never overwritten`, {
      hint: 'use it, or choose another path',
      cause,
    });
  }
  return fail('TARGET_UNFIT', `the key file '${path}' cannot be made: ${String(cause.code)}`, {
    hint: 'its directory must be writable for this user; a file that is mounted by itself cannot be replaced',
    cause,
  });
}

/** The 32 bytes. Throws `SECRET_UNRESOLVED`; the message never carries content. */
export async function readKeyFile(path: string): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      fail('SECRET_UNRESOLVED', `key file '${path}' can be read by others`, { hint: `chmod 600 '${path}'` });
    }
    const match = LINE.exec(await readFile(path, 'utf8'));
    if (!match?.[1]) fail('SECRET_UNRESOLVED', `'${path}' is not a key file`);
    return Buffer.from(match[1], 'hex');
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    return fail('SECRET_UNRESOLVED', `key file '${path}' cannot be read`, { cause });
  }
}
