// The frozen list of changes of a run: written once, synced, and known by its hash from then on.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { Change } from './changes.ts';

export interface ListedChanges {
  readonly count: number;
  /** Of the whole file, lower-case hexadecimal. */
  readonly sha256: string;
}

export interface ChangeTotals {
  create: number;
  replace: number;
  remove: number;
  settle: number;
  compare: number;
  /** Of what comes in. */
  sizeBytes: number;
}

const FLUSH_LINES = 1024;

export async function writeList(file: string, changes: AsyncIterable<Change>): Promise<ListedChanges & ChangeTotals> {
  const partial = `${file}.part`;
  const handle = await open(partial, 'w', 0o600);
  const hash = createHash('sha256');
  const totals: ChangeTotals = { create: 0, replace: 0, remove: 0, settle: 0, compare: 0, sizeBytes: 0 };
  let count = 0;
  let lines: string[] = [];
  const flush = async () => {
    const text = lines.join('');
    lines = [];
    hash.update(text);
    await handle.writeFile(text);
  };
  try {
    for await (const change of changes) {
      count++;
      totals[change.kind]++;
      if (change.kind === 'create' || change.kind === 'replace') totals.sizeBytes += change.sizeBytes;
      lines.push(`${JSON.stringify(change)}\n`);
      if (lines.length >= FLUSH_LINES) await flush();
    }
    await flush();
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  await syncDirectory(path.dirname(file));
  return { count, sha256: hash.digest('hex'), ...totals };
}

/** Throws `JOURNAL_STATE` at its end when it is not what was written; nothing may be done by a list that was not read to its end once. */
export async function* readList(file: string, listed: ListedChanges): AsyncGenerator<Change> {
  const hash = createHash('sha256');
  let count = 0;
  for await (const line of linesOf(file)) {
    hash.update(`${line}\n`);
    count++;
    yield JSON.parse(line) as Change;
  }
  if (count !== listed.count || hash.digest('hex') !== listed.sha256) {
    fail('JOURNAL_STATE', `'${file}' is not the list that was written`, {
      hint: 'nothing was touched by it; what was there lies below the directory `old` beside it',
    });
  }
}

/** Reads it to its end. */
export async function requireList(file: string, listed: ListedChanges): Promise<void> {
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
