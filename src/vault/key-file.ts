// Key files: one line that opens the vault; made once, never overwritten, and refused when others may read it.

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail, isHoldfastError } from '../errors/index.ts';
import { KEY_BYTES } from './crypto.ts';

const LINE = /^holdfast-key-1:([0-9a-f]{64})\s*$/;

/** Makes a key file with mode 0600 (its directory with 0700). Throws `TARGET_UNFIT` when the file exists. */
export async function generateKeyFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`holdfast-key-1:${randomBytes(KEY_BYTES).toString('hex')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(path, 0o600); // whatever the umask says
    const directory = await open(dirname(path), 'r');
    await directory.sync();
    await directory.close();
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
    fail('TARGET_UNFIT', `'${path}' exists and a key is never overwritten`, {
      hint: 'use it, or choose another path',
      cause,
    });
  }
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
