// The whole story of an error that nobody foresaw, in a file that only this user can read.

import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';

/** Path of the file, or nothing when it could not be written: the error itself must still be told. */
export async function writeErrorLog(error: unknown): Promise<string | undefined> {
  const base = process.env.XDG_STATE_HOME || path.join(os.homedir(), '.local', 'state');
  const directory = path.join(base, 'holdfast', 'errors');
  const file = path.join(directory, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}.log`);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(file, `${withoutPasswords(inspect(error, { depth: 6 }))}\n`, { mode: 0o600, flag: 'wx' });
    return file;
  } catch {
    return undefined;
  }
}

/** Passwords travel in URLs and in `password=…` pairs. */
export function withoutPasswords(text: string): string {
  return text
    .replaceAll(/(:\/\/[^/\s:@]*:)[^@/\s]*@/g, '$1***@')
    .replaceAll(/\b((?:password|passphrase|secret\w*)\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,}]+)/gi, '$1***');
}
