// Frozen lists of a run, a line of JSON for each item: written once, synced, and known by their hashes from then on.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';

export interface Listed {
  readonly count: number;
  /** Of the whole file, lower-case hexadecimal. */
  readonly sha256: string;
}

const FLUSH_LINES = 1024;

/** Puts the list in place whole or not at all. */
export async function writeList<Each>(file: string, items: AsyncIterable<Each>): Promise<Listed> {
  const partial = `${file}.part`;
  const handle = await open(partial, 'w', 0o600);
  const hash = createHash('sha256');
  let count = 0;
  let lines: string[] = [];
  const flush = async () => {
    const text = lines.join('');
    lines = [];
    hash.update(text);
    await handle.writeFile(text);
  };
  try {
    for await (const item of items) {
      count++;
      lines.push(`${JSON.stringify(item)}\n`);
      if (lines.length >= FLUSH_LINES) await flush();
    }
    await flush();
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  await syncDirectory(path.dirname(file));
  return { count, sha256: hash.digest('hex') };
}

/** Throws `JOURNAL_STATE` at its end when it is not what was written; nothing may be done by a list that was not read to its end once. */
export async function* readList<Each>(file: string, listed: Listed): AsyncGenerator<Each> {
  const hash = createHash('sha256');
  let count = 0;
  for await (const line of linesOf(file)) {
    hash.update(`${line}\n`);
    count++;
    yield JSON.parse(line) as Each;
  }
  if (count !== listed.count || hash.digest('hex') !== listed.sha256) {
    fail('JOURNAL_STATE', `the list '${path.basename(file)}' of the run is not the one that was written`, {
      hint: 'nothing was touched by it; what was there lies below the directory `old` beside it',
    });
  }
}

/** Reads it to its end. */
export async function requireList(file: string, listed: Listed): Promise<void> {
  for await (const _ of readList(file, listed));
}

/** By line feeds alone: a name may hold what a reader of text takes for the end of a line too. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const text of createReadStream(file, 'utf8') as AsyncIterable<string>) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
