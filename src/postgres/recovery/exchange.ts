// What a swap exchanges: a frozen list of names, each with what lies there now and what comes there, taken away and put in place one rename at a time.

import { readdir, readlink, realpath, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import {
  exists,
  ifAbsent,
  lstatIfThere,
  makeDirectory,
  ownerFor,
  readIfThere,
  renameDurably,
} from './durable-files.ts';
import type { Journal, JournalHead } from './journal.ts';
import { isVersionDirectory, pointLinks } from './linked-places.ts';
import { isExchanged } from './own-place.ts';
import type { RestorePaths } from './paths.ts';

/** Three names on one file system; what bears which of them tells how far the exchange of this one is. */
export interface Piece {
  /** In the journal's lines; absent: the data directory itself. */
  readonly name?: string;
  readonly live: string;
  readonly made: string;
  readonly kept: string;
  /** Inode of what production has under this name; absent: nothing. Empty in a journal of before there were numbers. */
  readonly old?: string;
  /** Inode of what was recovered for this name. */
  readonly new?: string;
}

/** Without the first a server refuses a directory, without the second it does not know who it is: they go first and come last. */
const firstNames = ['PG_VERSION', 'global'];

/**
 * In the order in which production's own are taken away; what is recovered comes in the reverse order. So the directory cannot be
 * started from the first rename to the last one, and an undo in the reverse order keeps that.
 */
export async function listPieces(journal: Journal): Promise<readonly Piece[]> {
  const { head } = journal;
  await proveLinks(head);
  const pieces: Piece[] = [];
  for (const piece of await namesOf(journal)) {
    if (await exists(piece.kept)) fail('JOURNAL_STATE', `'${piece.kept}' exists before anything was put there`);
    // An empty directory where production would be is nothing to keep.
    const isOld = piece.name !== undefined || head.production !== undefined;
    pieces.push({
      ...piece,
      ...number('old', isOld ? await inode(piece.live) : undefined),
      ...number('new', await inode(piece.made)),
    });
  }
  return pieces;
}

/** Once the recovered server has run, everything there is its own: also what it has written since. */
async function listBack(journal: Journal): Promise<readonly Piece[]> {
  for (const { live, new: made = '' } of piecesOf(journal)) {
    // A server replaces files; of its directories the number stays.
    if ((await lstatIfThere(live))?.isDirectory()) await proveNumber(live, made, 'what was recovered');
  }
  const pieces: Piece[] = [];
  for (const piece of await namesOf(journal)) pieces.push({ ...piece, ...number('new', await inode(piece.live)) });
  return pieces.filter(({ new: made }) => made !== undefined);
}

const number = (which: 'old' | 'new', value: string | undefined) => (value === undefined ? {} : { [which]: value });

async function namesOf({ head, paths }: Journal): Promise<readonly Piece[]> {
  const data = wholeOf(head, paths);
  const major = await majorOf([data.live, data.made]);
  const pieces = head.inside === true ? await entries(data) : [data];
  for (const { link, directory, made, kept, exchange: how } of head.execution.linked ?? []) {
    const place = { live: directory, made, kept };
    // Not the link's own name, which is exchanged too.
    if (how === 'whole') pieces.push({ name: `${link} directory`, ...place });
    else {
      const wanted = link === 'pg_wal' ? isExchanged : (name: string) => isVersionDirectory(name, major);
      const found = await entries(place, wanted);
      pieces.push(...found.map((piece) => ({ ...piece, name: `${link}/${piece.name}` })));
    }
  }
  return pieces;
}

async function majorOf(directories: readonly string[]): Promise<number> {
  for (const directory of directories) {
    const version = await readIfThere(path.join(directory, 'PG_VERSION'));
    if (version !== undefined) return Number(version.trim());
  }
  return fail('JOURNAL_STATE', `neither of '${directories.join("', '")}' holds a cluster`);
}

const wholeOf = (head: JournalHead, paths: RestorePaths) => ({
  live: head.dataDirectory,
  made: paths.data,
  kept: keptOf(head),
});

function keptOf({ keepOldAt }: JournalHead): string {
  return keepOldAt ?? fail('INTERNAL', 'a restore in place keeps the old directory somewhere');
}

async function entries({ live, made, kept }: Piece, wanted: (name: string) => boolean = isExchanged): Promise<Piece[]> {
  const names = new Set([...(await readdir(live)), ...(await readdir(made))].filter(wanted));
  const rank = (name: string) => (firstNames.indexOf(name) + firstNames.length + 1) % (firstNames.length + 1);
  const ordered = [...names].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return ordered.map((name) => ({
    name,
    live: path.join(live, name),
    made: path.join(made, name),
    kept: path.join(kept, name),
  }));
}

async function inode(file: string): Promise<string | undefined> {
  const there = await lstatIfThere(file);
  // A link is made again to lead elsewhere; where it leads is proved by itself.
  if (there?.isSymbolicLink()) return 'link';
  return there === undefined ? undefined : String(there.ino);
}

/** As the journal froze them; one of an earlier version has one piece and no numbers. */
export function piecesOf(journal: Journal): readonly Piece[] {
  const { head, paths } = journal;
  const listed = journal.dataOf('list')?.pieces as readonly Piece[] | undefined;
  if (listed !== undefined) return listed;
  if (!journal.has('keep old')) return [];
  return [{ ...wholeOf(head, paths), ...(head.production === undefined ? {} : { old: '' }), new: '' }];
}

const stepOf = (deed: string, { name }: Piece) => (name === undefined ? deed : `${deed}: ${name}`);

const isNewLive = async ({ made, new: inserted }: Piece) => inserted !== undefined && !(await exists(made));

/** Whether anything that was recovered has a name of production. */
export async function isBegun(journal: Journal): Promise<boolean> {
  for (const piece of piecesOf(journal)) if (await isNewLive(piece)) return true;
  return false;
}

/** Who has this name is the one that was there when the list was made: all are of the same cluster, only the number tells them apart. */
async function proveNumber(file: string, expected: string, what: string): Promise<void> {
  const now = await inode(file);
  if (now !== undefined && (expected === '' || now === expected)) return;
  fail('DATABASE_IDENTITY', `'${file}' is not ${what}`, {
    hint: 'somebody moved it since the swap began; nothing more was touched, put it back by hand',
    details: { file, inode: now ?? 'absent', expected },
  });
}

/** Takes production's own away and puts the recovered in its place. `prove` is asked before the first rename that is not done. */
export async function exchange(journal: Journal, prove: () => Promise<void>): Promise<void> {
  const { head, paths } = journal;
  const pieces = piecesOf(journal);
  const linked = head.execution.linked ?? [];
  if (head.inside === true && pieces.some(({ old }) => old !== undefined)) {
    await makeDirectory(keptOf(head), 0o700, await ownerFor(head.execution.runAs));
  }
  for (const [index, piece] of pieces.entries()) {
    if (piece.old === undefined) continue;
    const work = () => keep(piece, index === 0 ? prove : undefined);
    await journal.step(stepOf('keep old', piece), work, { from: piece.live, to: piece.kept });
  }
  if (linked.length > 0) {
    await journal.step('point links', async () => {
      // What is set aside and started by hand must not reach what took its place.
      await pointLinks(keptOf(head), linked, 'kept');
      await pointLinks(paths.data, linked, 'text');
      return undefined;
    });
  }
  for (const piece of pieces.toReversed()) {
    if (piece.new === undefined) continue;
    await journal.step(stepOf('move new', piece), () => move(piece), { from: piece.made, to: piece.live });
  }
}

/** Resumable by looking: the old one bears one of two names. */
async function keep({ live, kept, old = '' }: Piece, prove?: () => Promise<void>): Promise<undefined> {
  if (await exists(kept)) {
    if (await exists(live)) fail('JOURNAL_STATE', `'${kept}' exists, and so does '${live}'`);
    return undefined;
  }
  await prove?.();
  await proveNumber(live, old, 'what production had there');
  await renameDurably(live, kept);
  return undefined;
}

async function move({ name, live, made, old, new: inserted = '' }: Piece): Promise<undefined> {
  if (!(await exists(made))) {
    await proveNumber(live, inserted, 'what was recovered');
    return undefined;
  }
  if (name === undefined && old === undefined) await rmdir(live).catch(ifAbsent(undefined));
  if (await exists(live)) fail('JOURNAL_STATE', `something else was put at '${live}' meanwhile`);
  await proveNumber(made, inserted, 'what was recovered');
  await renameDurably(made, live);
  return undefined;
}

/** Before what was replaced is removed for good. */
export async function proveReplaced(journal: Journal): Promise<void> {
  await proveLinks(journal.head);
  for (const { kept, old } of piecesOf(journal)) {
    if (old !== undefined) await proveNumber(kept, old, 'what production had');
  }
}

/** Before anything is started: every piece is the recovered one, and every link leads to where its piece is. */
export async function proveExchanged(journal: Journal): Promise<undefined> {
  const { head } = journal;
  for (const { live, made, kept, old, new: inserted } of piecesOf(journal)) {
    if (inserted !== undefined) await proveNumber(live, inserted, 'what was recovered');
    else if (await exists(live)) fail('DATABASE_IDENTITY', `'${live}' is not of the recovered cluster`);
    if (old !== undefined) await proveNumber(kept, old, 'what production had');
    if (await exists(made)) fail('DATABASE_IDENTITY', `'${made}' was left behind`);
  }
  return proveLinks(head);
}

async function proveLinks({ dataDirectory, execution: { linked = [] } }: JournalHead): Promise<undefined> {
  for (const { link, directory, text } of linked) {
    const name = path.join(dataDirectory, link);
    // A tablespace that was dropped has none, and where production is gone there is nothing.
    if (!(await exists(name))) continue;
    const says = await readlink(name).catch(() => undefined);
    if (says === text && (await realpath(name)) === directory) continue;
    fail('DATABASE_IDENTITY', `'${name}' does not lead to '${directory}'`);
  }
  return undefined;
}

/** The exchange in reverse, as far as it came. `check` is asked before each rename, `proveOld` before production's own come back. */
export async function takeBack(
  journal: Journal,
  check: () => Promise<void>,
  proveOld: () => Promise<void>,
): Promise<void> {
  for (const piece of await piecesBack(journal)) {
    if (!(await isNewLive(piece))) continue;
    await check();
    await proveNumber(piece.live, piece.new ?? '', 'what was recovered');
    await renameDurably(piece.live, piece.made);
    await journal.append(stepOf('move new', piece), 'undone');
  }
  if (journal.has('point links')) await pointBack(journal);
  await proveOld();
  for (const piece of piecesOf(journal).toReversed()) {
    if (piece.old === undefined) continue;
    if (await putBack(piece, piece.old, check)) await journal.append(stepOf('keep old', piece), 'undone');
  }
  if (journal.head.inside === true) await rmdir(keptOf(journal.head)).catch(ifAbsent(undefined));
}

async function piecesBack(journal: Journal): Promise<readonly Piece[]> {
  if (!journal.has('start')) return piecesOf(journal);
  await journal.step('list back', async () => ({ pieces: await listBack(journal) }));
  return journal.dataOf('list back')?.pieces as readonly Piece[];
}

async function pointBack({ head, paths }: Journal): Promise<void> {
  const { linked = [] } = head.execution;
  await pointLinks(paths.data, linked, 'made');
  // Wherever production's own links are by now; the recovered ones are in the work directory.
  for (const directory of [keptOf(head), head.dataDirectory]) await pointLinks(directory, linked, 'text');
}

async function putBack({ live, kept }: Piece, old: string, check: () => Promise<void>): Promise<boolean> {
  const [isKept, isBack] = [await exists(kept), await exists(live)];
  if (isKept && isBack) fail('JOURNAL_STATE', `'${kept}' exists, and so does '${live}'`);
  if (!isKept && !isBack) {
    fail('STUCK', `neither '${live}' nor '${kept}' exists`, { hint: 'look for it by hand' });
  }
  await proveNumber(isKept ? kept : live, old, 'what production had there');
  if (!isKept) return false;
  await check();
  await renameDurably(kept, live);
  return true;
}
