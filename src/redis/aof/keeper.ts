// The keeper of an append-only directory: every file gets a second name as soon as it appears, so that a rewrite discards nothing before it is captured.

import { watch } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { type ManifestFile, parseManifest } from './manifest.ts';

export interface AppendOnlyPlace {
  /** Absolute; of the server. */
  readonly dataDirectory: string;
  readonly appendDirectory: string;
  readonly appendFile: string;
}

/** One base file and what follows it. */
export interface KeptSet {
  /** Its name among the kept, of the base file's own inode: the same base is the same set. */
  readonly id: string;
  readonly directory: string;
  readonly base: ManifestFile;
  readonly incrementals: readonly ManifestFile[];
  /** By name: the same file may stand in two sets. */
  readonly inodes: ReadonlyMap<string, bigint>;
  /** Nanoseconds since 1970 when it was written to last: sets follow each other in this order, also where a restore or its undoing came in between. */
  readonly writtenNs: bigint;
}

const KEPT = path.join('.holdfast', 'aof');
const POLL_MS = 1_000;
const LOOKS = 5;

export function keptDirectory({ dataDirectory }: AppendOnlyPlace): string {
  return path.join(dataDirectory, KEPT);
}

/** Throws `REDIS_UNFIT` where there is none, or none that can be read. */
export async function readManifest(place: AppendOnlyPlace): Promise<readonly ManifestFile[]> {
  const file = path.join(place.dataDirectory, place.appendDirectory, `${place.appendFile}.manifest`);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) =>
    fail('REDIS_UNFIT', `the manifest of the append-only files cannot be read: ${error.message}`, {
      hint: "the server needs `appendonly yes`, and the worker the server's host and the right to read its directory",
      cause: error,
    }),
  );
  return parseManifest(text, file);
}

/** Gives second names to all that the manifest lists now, and tells that set. Throws `REDIS_UNFIT`. */
export async function keepNow(place: AppendOnlyPlace): Promise<KeptSet> {
  for (let look = 1; ; look++) {
    const files = await readManifest(place);
    const kept = await keepListed(place, files);
    if (kept !== undefined) return kept;
    // A rewrite came in between: the manifest is another one by now.
    if (look === LOOKS) fail('REDIS_UNFIT', 'the append-only files change faster than they can be listed');
  }
}

/** Undefined when a file went away while it was looked at. */
async function keepListed(place: AppendOnlyPlace, files: readonly ManifestFile[]): Promise<KeptSet | undefined> {
  const base = files.find(({ type }) => type === 'base');
  if (base === undefined) fail('REDIS_UNFIT', 'the append-only files have no base yet: the first rewrite makes it');
  const source = (name: string) => path.join(place.dataDirectory, place.appendDirectory, name);
  try {
    const { ino } = await stat(source(base.name), { bigint: true });
    const id = idOf(ino, base.name);
    const directory = path.join(keptDirectory(place), id);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const { name } of files) await link(source(name), path.join(directory, name)).catch(unlessThere);
    const incrementals = files.filter(({ type }) => type === 'incremental');
    return { id, directory, base, incrementals, ...(await written(directory, [base, ...incrementals])) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code !== 'EXDEV') throw error;
    return fail('REDIS_UNFIT', `'${place.appendDirectory}' is on another file system than '${place.dataDirectory}'`, {
      hint: 'a second name cannot be given across file systems: have both on one',
    });
  }
}

/** All that is kept, oldest first. */
export async function keptSets(place: AppendOnlyPlace): Promise<readonly KeptSet[]> {
  const root = keptDirectory(place);
  const ids = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  const sets: KeptSet[] = [];
  for (const id of ids) {
    const set = await readSet(path.join(root, id), id);
    if (set !== undefined) sets.push(set);
  }
  return sets.sort(inOrder);
}

/** Two that share a file follow each other by number: the server writes on in it while they are looked at, so its time tells nothing. */
function inOrder(a: KeptSet, b: KeptSet): number {
  const ofB = new Set(b.inodes.values());
  const isShared = [...a.inodes.values()].some((inode) => ofB.has(inode));
  if (isShared) return a.base.sequence - b.base.sequence;
  return a.writtenNs < b.writtenNs ? -1 : 1;
}

/** Undefined: its base never got its name, so it is none. */
async function readSet(directory: string, id: string): Promise<KeptSet | undefined> {
  const names = await readdir(directory);
  const baseName = id.slice(id.indexOf('-') + 1);
  if (!names.includes(baseName)) return undefined;
  const files = names.map((name) => ({ name, ...numbered(name) }));
  const incrementals = files
    .flatMap(({ name, sequence, isBase }) =>
      isBase || sequence === undefined ? [] : [{ name, sequence, type: 'incremental' as const }],
    )
    .sort((a, b) => a.sequence - b.sequence);
  const base = { name: baseName, sequence: numbered(baseName).sequence ?? 0, type: 'base' } as const;
  return { id, directory, base, incrementals, ...(await written(directory, [base, ...incrementals])) };
}

async function written(
  directory: string,
  files: readonly ManifestFile[],
): Promise<Pick<KeptSet, 'inodes' | 'writtenNs'>> {
  const inodes = new Map<string, bigint>();
  let writtenNs = 0n;
  for (const { name } of files) {
    const { ino, mtimeNs } = await stat(path.join(directory, name), { bigint: true });
    inodes.set(name, ino);
    if (mtimeNs > writtenNs) writtenNs = mtimeNs;
  }
  return { inodes, writtenNs };
}

/** `appendonly.aof.2.incr.aof`, `appendonly.aof.2.base.rdb`; a file of an older server has no number. */
function numbered(name: string): { sequence?: number; isBase: boolean } {
  const [, sequence, kind] = /\.(\d+)\.(base|incr)\.(?:aof|rdb)$/.exec(name) ?? [];
  return { ...(sequence !== undefined && { sequence: Number(sequence) }), isBase: kind === 'base' };
}

/** What was captured and is not the present set any more. */
export async function letGo(captured: readonly KeptSet[], presentId: string): Promise<void> {
  for (const { id, directory } of captured) if (id !== presentId) await rm(directory, { recursive: true });
}

/**
 * Keeps until the signal. `afterLook`: what is to be done once the present set is kept, or cannot be for want of room. `onTrouble` is told what stands in the way, once for each reason,
 * and nothing when it is over.
 */
export async function runKeeper(
  place: AppendOnlyPlace,
  {
    signal,
    onTrouble,
    afterLook,
  }: {
    readonly signal: AbortSignal;
    readonly onTrouble: (error: unknown) => void;
    readonly afterLook?: (presentId: string) => Promise<void>;
  },
): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    // From before the look: a rewrite that comes while it lasts would be seen a second later, when the next one may be over.
    const next = changed(path.join(place.dataDirectory, place.appendDirectory), signal);
    try {
      const full = await keepNow(place).then(() => undefined, onlyFull);
      // A disk without room for a second name is the one that needs room most.
      await afterLook?.(await presentId(place));
      if (full !== undefined) await keepNow(place);
      told = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== told) onTrouble(error);
      told = message;
    }
    await next;
  }
}

function onlyFull(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return error;
  throw error;
}

/** Of the set that the manifest lists now, whether it is kept or not. */
async function presentId(place: AppendOnlyPlace): Promise<string> {
  const base = (await readManifest(place)).find(({ type }) => type === 'base')?.name ?? '';
  const { ino } = await stat(path.join(place.dataDirectory, place.appendDirectory, base), { bigint: true });
  return idOf(ino, base);
}

const idOf = (inode: bigint, base: string) => `${inode}-${base}`;

/** A rewrite changes names in the directory; what no watch tells, a look every second does. */
async function changed(directory: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => done(), POLL_MS);
    let watcher: ReturnType<typeof watch> | undefined;
    const done = () => {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    try {
      watcher = watch(directory, (event) => {
        if (event === 'rename') done();
      });
      watcher.on('error', () => undefined);
    } catch {
      // The directory is not there yet: the next look tells.
    }
  });
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
