// A root made what a snapshot holds of it, in place: list, stage, exchange; and afterwards back, or confirmed.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fail } from '../../errors/index.ts';
import { holdLock } from '../../process/index.ts';
import { isThere, setTimes, syncFileSystemOf } from '../../system/index.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';
import { sideBySide } from '../compare/side-by-side.ts';
import { Owners } from '../owners.ts';
import { isWithin, type Selection, Selector, treePath, wantedEntries } from '../restore/select.ts';
import { type WrittenTree, writeTree } from '../restore/write-tree.ts';
import type { Found } from '../scan/found.ts';
import { PathRules, type ScanRules } from '../scan/rules.ts';
import { scan } from '../scan/scan.ts';
import { Telling } from '../told.ts';
import type { FilesDetails, Told } from '../types.ts';
import { belowTop, type Change, type ChangesOptions, changesOf } from './changes.ts';
import { exchange, undoExchange } from './exchange.ts';
import { type Phase, RunJournal } from './journal.ts';
import { type ChangeTotals, type ListedChanges, readList, requireList, writeList } from './list.ts';
import { type RunPlace, runPlace } from './place.ts';

export interface InPlaceOptions {
  readonly reader: SnapshotReader;
  /** Absolute; one of the snapshot's roots. */
  readonly root: string;
  /** Rules of now, which together with those of the snapshot say what is not touched. */
  readonly rules: ScanRules;
  readonly selection?: Selection;
  readonly signal: AbortSignal;
}

export interface ExecuteOptions extends InPlaceOptions {
  /** Names what is kept; a repeated attempt has the same. */
  readonly run: string;
  /** Right before every step that touches the tree: throws when this run may not go on. */
  readonly check?: () => Promise<void>;
  readonly onProgress?: (done: { readonly files: number; readonly bytes: number }) => void;
}

export interface InPlaceResult extends ChangeTotals {
  /** Where what was there is kept. */
  readonly kept: string;
  readonly lacking: Told<{ readonly path: string; readonly what: string; readonly code: string }>;
}

/** What a restore in place would do, without reading files or touching anything; `compare` is what only reading tells. */
export async function* planInPlace(options: InPlaceOptions): AsyncGenerator<Change> {
  yield* changesOf(changesOptions(options));
}

/**
 * Resolves when the root is what the snapshot holds, on the disk, and what it was is kept. May be called again after it was killed. Throws
 * `TARGET_UNFIT`, `LOCKED`, `NO_SPACE`, `CANCELLED` and what the vault says; after an error `rollbackInPlace` takes back whatever was done.
 */
export async function restoreInPlace(options: ExecuteOptions): Promise<InPlaceResult> {
  const place = runPlace(options.root, options.run);
  await prepare(place);
  return await underLock(place, async () => {
    await requireOnlyRun(place);
    const journal = await RunJournal.open(place.journal);
    if (journal.phase === 'rolling back' || journal.phase === 'rolled back' || journal.phase.startsWith('confirm')) {
      fail('JOURNAL_STATE', `the restore '${place.run}' of '${place.root}' is ${journal.phase}`);
    }
    await journal.step('list', async () => ({
      ...(await writeList(place.changes, changesOf({ ...changesOptions(options), hash: sha256Of }))),
    }));
    const listed = journal.dataOf('list') as unknown as ListedChanges & ChangeTotals;
    await requireList(place.changes, listed);
    const lacking = new Telling<InPlaceResult['lacking']['first'][number]>();
    await journal.step('stage', async () => {
      const written = await stage(place, listed, options);
      return { lacking: written.lacking };
    });
    const staged = journal.dataOf('stage') as unknown as Pick<WrittenTree, 'lacking'>;
    for (const each of staged.lacking.first) lacking.add(each);
    await journal.step('exchange', async () => {
      const onLacking = (path: string, what: string, code: string) => lacking.add({ path, what, code });
      const check = async () => {
        if (options.signal.aborted) fail('CANCELLED', 'the restore was cancelled');
        await options.check?.();
      };
      await exchange(place, readList(place.changes, listed), { check, onLacking });
      await syncRoot(place);
      return undefined;
    });
    const { count: _, sha256: __, ...totals } = listed;
    return { ...totals, kept: place.kept, lacking: lacking.told };
  });
}

/** The root is what it was before, on the disk. Does nothing to a run that never began to exchange but take its stage away. Throws `JOURNAL_STATE` for one that was confirmed. */
export async function rollbackInPlace(root: string, run: string, check?: () => Promise<void>): Promise<void> {
  const place = runPlace(root, run);
  if (!(await isThere(place.directory))) return;
  await underLock(place, async () => {
    const journal = await RunJournal.open(place.journal);
    if (journal.phase.startsWith('confirm')) {
      fail('JOURNAL_STATE', `the restore '${run}' of '${root}' was confirmed: what was there before is gone`);
    }
    const listed = journal.dataOf('list') as unknown as ListedChanges | undefined;
    await journal.step('rollback', async () => {
      if (listed && journal.hasBegun('exchange')) {
        await requireList(place.changes, listed);
        await undoExchange(place, readList(place.changes, listed), { ...(check && { check }) });
        await syncRoot(place);
      }
      return undefined;
    });
    await removeRun(place);
  });
}

/** What was kept is removed: there is no way back afterwards. Throws `JOURNAL_STATE` for a run whose exchange is not done. */
export async function confirmInPlace(root: string, run: string): Promise<void> {
  const place = runPlace(root, run);
  if (!(await isThere(place.directory))) return;
  await underLock(place, async () => {
    const journal = await RunJournal.open(place.journal);
    if (journal.phase !== 'exchanged' && !journal.phase.startsWith('confirm')) {
      fail('JOURNAL_STATE', `the restore '${run}' of '${root}' is ${journal.phase}: there is nothing to confirm`);
    }
    await journal.step('confirm', async () => {
      await rm(place.kept, { recursive: true, force: true });
      return undefined;
    });
    await removeRun(place);
  });
}

/** Runs that have something in the root, by name. Reads only. */
export async function runsInPlace(root: string): Promise<ReadonlyMap<string, Phase>> {
  const { home } = runPlace(root, '');
  const names = await readdir(home, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const runs = new Map<string, Phase>();
  for (const { name } of names.filter((entry) => entry.isDirectory())) {
    runs.set(name, (await RunJournal.open(runPlace(root, name).journal)).phase);
  }
  return runs;
}

/** The root keeps its own times: nothing of it was changed yet. */
async function prepare(place: RunPlace): Promise<void> {
  await mkdir(place.root, { recursive: true });
  const before = await stat(place.root, { bigint: true });
  if (!before.isDirectory()) fail('TARGET_UNFIT', `'${place.root}' is a file: restore it beside`);
  await mkdir(place.home, { recursive: true, mode: 0o700 });
  await mkdir(place.directory, { recursive: true, mode: 0o700 });
  setTimes(place.root, { atimeNs: before.atimeNs, mtimeNs: before.mtimeNs });
}

async function underLock<T>(place: RunPlace, work: () => Promise<T>): Promise<T> {
  const lock = await holdLock(place.lock);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

async function requireOnlyRun(place: RunPlace): Promise<void> {
  for (const [run, phase] of await runsInPlace(place.root)) {
    if (run === place.run || phase === 'confirmed' || phase === 'rolled back') continue;
    fail('TARGET_UNFIT', `the restore '${run}' of '${place.root}' is ${phase}`, {
      hint: `confirm it or roll it back first: \`holdfast confirm ${run}\`, \`holdfast rollback ${run}\``,
    });
  }
}

async function stage(place: RunPlace, listed: ListedChanges, options: ExecuteOptions): Promise<WrittenTree> {
  const { reader, root, signal, onProgress } = options;
  const top = treePath(root);
  await mkdir(place.staged, { recursive: true, mode: 0o700 });
  const entries = () => comingIn(changesOptions(options).entries(), readList(place.changes, listed), top);
  return await writeTree({
    reader: {
      snapshot: { ...reader.snapshot, engine: { ...reader.snapshot.engine, roots: [root] } },
      entries,
      restoreFiles: (files, restoring) => reader.restoreFiles(files, restoring),
    },
    directory: place.staged,
    top: root,
    signal,
    ...(onProgress && { onProgress }),
  });
}

/** Entries of what is created or replaced, with all that is below. */
async function* comingIn(
  entries: AsyncIterable<TreeEntry>,
  changes: AsyncIterable<Change>,
  top: string,
): AsyncGenerator<TreeEntry> {
  let covered: string | undefined;
  for await (const { path, one, other } of sideBySide(entries, namesOf(changes, top))) {
    if (other) covered = path;
    if (one && covered !== undefined && isWithin(path, covered)) yield one;
  }
}

async function* namesOf(changes: AsyncIterable<Change>, top: string): AsyncGenerator<{ readonly path: string }> {
  for await (const { path, kind } of changes) {
    if (kind !== 'create' && kind !== 'replace') continue;
    yield { path: path === '' ? top : top === '' ? path : `${top}/${path}` };
  }
}

function changesOptions({ reader, root, rules, selection = {} }: InPlaceOptions): ChangesOptions {
  const top = treePath(root);
  const selector = new Selector(selection);
  const details = reader.snapshot.engine as unknown as FilesDetails;
  const now = new PathRules(rules.exclude);
  // What today's rules leave out is not seen on the disk, so it must not be brought in either: it would take the place of what was never captured.
  const takes = (entry: Pick<TreeEntry, 'path' | 'type'>) =>
    isWithin(entry.path, top) &&
    selector.takes(entry) &&
    !(entry.path !== top && isLeftOut(now, belowTop(entry.path, top), entry.type === 'directory'));
  const owners = new Owners();
  return {
    top,
    root,
    takes,
    givesOwners: process.geteuid?.() === 0,
    entries: () => ownedHere(wantedEntries(reader, takes), owners),
    found: () => touchable(root, top, rules, details.rules, takes),
  };
}

async function* ownedHere(entries: AsyncIterable<TreeEntry>, owners: Owners): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    const owner = await owners.here(entry);
    yield owner === undefined || (owner.uid === entry.uid && owner.gid === entry.gid) ? entry : { ...entry, ...owner };
  }
}

/** What is there and was captured, or would have been, by the rules of then and of now. */
async function* touchable(
  root: string,
  top: string,
  now: ScanRules,
  then: ScanRules,
  takes: (found: Pick<TreeEntry, 'path' | 'type'>) => boolean,
): AsyncGenerator<Found> {
  const largest = Math.min(now.largestBytes ?? Infinity, then.largestBytes ?? Infinity);
  const rules: ScanRules = {
    exclude: now.exclude,
    oneFileSystem: now.oneFileSystem || then.oneFileSystem,
    cacheTags: now.cacheTags || then.cacheTags,
    ...(Number.isFinite(largest) && { largestBytes: largest }),
  };
  const before = new PathRules(then.exclude);
  for await (const { found, unseen } of scan({ roots: [root], rules })) {
    const [first] = unseen;
    if (first) fail('TARGET_UNFIT', `'/${first.path}' cannot be looked at (${first.code})`);
    for (const each of found) {
      const below = belowTop(each.path, top);
      const isDirectory = each.type === 'directory';
      if (below !== '' && isLeftOut(before, below, isDirectory)) continue;
      if (isDirectory || takes({ path: each.path, type: 'file' })) yield each;
    }
  }
}

/** By itself, or with a directory that it is in. */
function isLeftOut(rules: PathRules, below: string, isDirectory: boolean): boolean {
  const parts = below.split('/');
  return parts.some((_, at) => {
    const isWhole = at === parts.length - 1;
    return rules.leavesOut(parts.slice(0, at + 1).join('/'), !isWhole || isDirectory);
  });
}

async function sha256Of(place: string | Buffer): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(place), hash);
  return hash.digest('hex');
}

async function syncRoot({ root }: RunPlace): Promise<void> {
  const handle = await open(root, 'r');
  try {
    await syncFileSystemOf(handle.fd);
  } finally {
    await handle.close();
  }
}

async function removeRun({ directory }: RunPlace): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}
