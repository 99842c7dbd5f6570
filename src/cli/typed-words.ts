// The words of a command line byte by byte: names of files need not be UTF-8, and Node puts U+FFFD where they are not.

import { readFile } from 'node:fs/promises';
import { shownPath, textOfPath } from '../domain/path-text.ts';
import { fail } from '../errors/index.ts';
import type { AnyCommand } from './define.ts';

const REPLACED = '\ufffd';

/** `words` as Node has them, the last of `process.argv`; each as the text of its bytes. Throws `USAGE` where one is no UTF-8 and the system does not tell its bytes. */
export async function typedWords(words: readonly string[]): Promise<readonly string[]> {
  if (!words.some((word) => word.includes(REPLACED))) return words;
  const all = await readFile('/proc/self/cmdline').catch(() => Buffer.alloc(0));
  const typed = splitAtNul(all).slice(-words.length);
  const isSame = typed.length === words.length && typed.every((bytes, at) => bytes.toString() === words[at]);
  if (isSame) return typed.map((bytes) => textOfPath(bytes));
  // What Node made of them may be the name of another file.
  return fail('USAGE', 'an argument is not UTF-8, and this system does not tell its bytes', {
    hint: 'type the name as it is printed, such as `caf\\xe9`',
  });
}

/** What is no UTF-8 would become another name where it is given to the system. Throws `USAGE`. */
export function requireText(typed: Readonly<Record<string, unknown>>, { bytes = [] }: Pick<AnyCommand, 'bytes'>): void {
  for (const [name, value] of Object.entries(typed)) {
    const odd = bytes.includes(name)
      ? undefined
      : [value].flat().find((each) => typeof each === 'string' && !each.isWellFormed());
    if (odd === undefined) continue;
    const what = name === 'args' ? '' : `--${name}: `;
    fail('USAGE', `${what}'${shownPath(`${odd}`)}' is not UTF-8`, {
      hint: 'only paths and patterns of a snapshot are taken byte by byte: `holdfast restore --help`',
    });
  }
}

/** Each word of a process ends with one. */
function splitAtNul(bytes: Buffer): Buffer[] {
  const words: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    if (end < 0) return [...words, bytes.subarray(from)];
    words.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return words;
}
