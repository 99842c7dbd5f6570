// Files of a snapshot onto the disk: this thread finds and reads what is needed, worker threads open, verify and write it.

import { randomUUID } from 'node:crypto';
import { shownPath } from '../../domain/path-text.ts';
import { fail, HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { CHUNK_ID_BYTES } from '../chunk-id.ts';
import type { SourceParts } from '../chunk-source.ts';
import type { FileToRestore, RestoredFiles, RestoreFilesOptions, SnapshotId, TreeEntry } from '../types.ts';
import { JobThreads, ThreadGone } from '../workers/job-threads.ts';
import type { AnswerTo, ReadingSetup, TargetFile, TargetRoot } from '../workers/jobs.ts';
import { ByteBudget } from './byte-budget.ts';
import { type FetchedFrames, FrameFetcher, type WantedFrame } from './frame-fetcher.ts';
import { PackSources, type Source } from './pack-sources.ts';
import {
  type FileSource,
  isWhole,
  PlacePlan,
  type Stretch,
  type StretchChoice,
  slicesOf,
  sourceOf,
  stretchesOf,
} from './place-plan.ts';
import { canSyncFileSystem, SyncAlong } from './sync.ts';

/** Looked at together, whether they are right already. */
const BATCH_FILES = 1024;
const BATCH_BYTES = 16 * 1024 * 1024;
/** Of a large file, hashed as soon as so much more is written, so that little is left when the last of it comes. */
const ADVANCE_BYTES = 8 * 1024 * 1024;
const BUDGET_BYTES = 48 * 1024 * 1024;
const BUDGET_A_THREAD_BYTES = 24 * 1024 * 1024;
const LARGEST_BUDGET_BYTES = 192 * 1024 * 1024;

interface Wanted {
  readonly file: TargetFile;
  readonly entry: TreeEntry;
}

/** The random end of a snapshot's id. */
const MARK_LENGTH = 8;

/** See `SnapshotReader.restoreFiles`. */
export async function restoreFiles(
  parts: SourceParts,
  snapshot: SnapshotId,
  files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>,
  options: RestoreFilesOptions,
): Promise<RestoredFiles> {
  const isSyncedByFile = options.sync === 'each' || !canSyncFileSystem();
  const sync = isSyncedByFile ? undefined : await SyncAlong.open(options.directory);
  try {
    const restored = await new RestoreRun(parts, snapshot, options, sync).run(files);
    await sync?.finish();
    return restored;
  } finally {
    await sync?.close();
  }
}

class RestoreRun {
  readonly #parts: SourceParts;
  readonly #options: RestoreFilesOptions;
  /** Undefined: each file is synced before it gets its name. */
  readonly #sync: SyncAlong | undefined;
  readonly #root: TargetRoot;
  readonly #threads: JobThreads;
  readonly #fetcher: FrameFetcher;
  readonly #budget: ByteBudget;
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly cause: unknown } | undefined;
  #plan = new PlacePlan();
  #done: RestoredFiles = { files: 0, bytes: 0, keptFiles: 0, keptBytes: 0, lacking: [], lackingCount: 0 };

  constructor(parts: SourceParts, snapshot: SnapshotId, options: RestoreFilesOptions, sync: SyncAlong | undefined) {
    const signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
    this.#parts = parts;
    this.#options = options;
    this.#sync = sync;
    this.#root = { directory: options.directory, session: randomUUID(), mark: snapshot.slice(-MARK_LENGTH) };
    this.#threads = new JobThreads(options.threads);
    this.#fetcher = new FrameFetcher(parts.packs, new PackSources(parts, signal), signal);
    const budget = BUDGET_BYTES + this.#threads.count * BUDGET_A_THREAD_BYTES;
    this.#budget = new ByteBudget(Math.min(LARGEST_BUDGET_BYTES, budget));
  }

  /** Once it has settled, no thread writes any more. */
  async run(files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>): Promise<RestoredFiles> {
    try {
      for await (const { file, entry } of this.#lacking(files)) {
        this.#check();
        const source = sourceOf(this.#parts.index, entry);
        if (isWhole(file.sizeBytes, source)) await this.#addWhole(file, source);
        else await this.#startLarge(file, source);
      }
      await this.#launchPlan();
    } catch (cause) {
      this.#fail(cause);
    }
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    try {
      this.#check();
      const answers = await this.#threads.everywhere<'leave'>({ kind: 'leave', root: this.#root });
      const lacking = answers.flatMap((answer) => answer.lacking);
      const lackingCount = answers.reduce((sum, answer) => sum + answer.lackingCount, 0);
      this.#done = { ...this.#done, lacking, lackingCount };
    } finally {
      await this.#threads.close();
    }
    return this.#done;
  }

  /** The files that are not right on the disk already, in their order. */
  async *#lacking(files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>): AsyncGenerator<Wanted> {
    const asked: { batch: readonly Wanted[]; answer: Promise<AnswerTo<'keep'>> }[] = [];
    for await (const batch of batchesOf(files, this.#options, this.#sync === undefined)) {
      const job = { kind: 'keep', root: this.#root, files: batch.map(({ file }) => file) } as const;
      const answer = this.#repeated(() => this.#threads.run<'keep'>(job));
      answer.catch(() => {}); // awaited below
      asked.push({ batch, answer });
      if (asked.length > 2 * this.#threads.count) yield* this.#notKept(asked.shift() as (typeof asked)[number]);
    }
    for (const each of asked) yield* this.#notKept(each);
  }

  async *#notKept(asked: { batch: readonly Wanted[]; answer: Promise<AnswerTo<'keep'>> }): AsyncGenerator<Wanted> {
    const { kept } = await asked.answer;
    for (const [number, wanted] of asked.batch.entries()) {
      if (kept[number]) this.#note([wanted.file], true);
      else yield wanted;
    }
  }

  async #addWhole(file: TargetFile, source: FileSource): Promise<void> {
    if (this.#plan.endsBefore(source.chunks[0])) await this.#launchPlan();
    this.#plan.add(file, slicesOf(source));
  }

  async #launchPlan(): Promise<void> {
    const plan = this.#plan;
    if (plan.isEmpty) return;
    this.#plan = new PlacePlan();
    const files = plan.placements.map(({ file }) => file);
    await this.#launch(plan, async () => this.#note(files, false));
  }

  /** Its stretches are written by all threads, its hash is one thread's. */
  async #startLarge(file: TargetFile, source: FileSource): Promise<void> {
    const home = this.#threads.home();
    const { right, inode } = await this.#beginLarge(file, source, home);
    // Where zeros are not written, what an earlier form held would stay.
    const isHashedLater = file.sha256 !== undefined && !source.pieces && !file.holes;
    const written = await this.#writeLarge(file, source, home, { right, isHashedLater });
    const finish = () =>
      this.#repeated(() => this.#threads.run<'finish'>({ kind: 'finish', root: this.#root, file, inode }, { home }));
    void this.#track(async () => {
      await Promise.all(written);
      if (this.#failure) return;
      await finish().catch(async (error: unknown) => {
        if (!isHashedLater || !isHoldfastError(error, 'OBJECT_DAMAGED')) throw error;
        await this.#mendLarge(file, source, home);
        await finish();
      });
      this.#note([file], false);
    });
  }

  /** Some chunk is another one: all are looked at, and those that are wrong are fetched again, compared with their ids. */
  async #mendLarge(file: TargetFile, source: FileSource, home: number): Promise<void> {
    const { right } = await this.#beginLarge(file, source, home);
    await Promise.all(await this.#writeLarge(file, source, home, { right, isHashedLater: false }));
    this.#check();
  }

  /** The unfinished form is made, or what there is of it looked at. */
  async #beginLarge(file: TargetFile, source: FileSource, home: number): Promise<AnswerTo<'begin'>> {
    const chunks = source.pieces || file.sha256 === undefined ? [] : source.chunks;
    const ids = Buffer.concat(
      chunks.map(({ id }) => id),
      chunks.length * CHUNK_ID_BYTES,
    );
    const lengths = Uint32Array.from(chunks, ({ record }) => record.length);
    const job = { kind: 'begin', root: this.#root, setup: this.#setup, file, ids, lengths } as const;
    return await this.#repeated(() => this.#threads.run<'begin'>(job, { home }));
  }

  /** Resolves when all stretches are on their way; each of the promises when one is written. */
  async #writeLarge(
    file: TargetFile,
    source: FileSource,
    home: number,
    choice: StretchChoice,
  ): Promise<Promise<void>[]> {
    const root = this.#root;
    const open: Stretch[] = [];
    let hashedTo = 0;
    const advance = () => {
      if (file.sha256 === undefined) return;
      const upTo = Math.min(...open.map(({ position }) => position), file.sizeBytes);
      if (upTo - hashedTo < ADVANCE_BYTES || upTo === file.sizeBytes) return;
      hashedTo = upTo;
      // When this is lost, the last step does it.
      this.#threads.run<'advance'>({ kind: 'advance', root, file, upTo }, { home }).catch(() => {});
    };
    const written: Promise<void>[] = [];
    for (const stretch of stretchesOf(file, source, choice)) {
      open.push(stretch);
      const { done } = await this.#launch(stretch.plan, () => {
        open.splice(open.indexOf(stretch), 1);
        advance();
      });
      written.push(done);
    }
    return written;
  }

  /** Resolves when there is room for the job; `done` then resolves when it is done, or something has failed. */
  async #launch(plan: PlacePlan, then: () => void): Promise<{ readonly done: Promise<void> }> {
    const giveBack = await this.#budget.take(plan.weight);
    const done = this.#track(async () => {
      try {
        this.#check();
        await this.#place(plan);
        this.#sync?.wrote(plan.plainBytes);
      } finally {
        giveBack();
      }
      then();
    });
    return { done };
  }

  /** Until every frame was right: those that are not are read from elsewhere, and the job is done again. */
  async #place(plan: PlacePlan): Promise<void> {
    const { ids, slices, frames: wanted, placements } = plan;
    for (;;) {
      const fetched = await this.#fetcher.fetch(wanted);
      this.#check();
      const { packs, ranges, frames } = fetched;
      const job = {
        kind: 'place',
        root: this.#root,
        setup: this.#setup,
        packs,
        ranges,
        frames,
        ids,
        slices,
        placements,
      } as const;
      try {
        const { damaged, ranges: used } = await this.#threads.run<'place'>(job, { transfer: ranges });
        this.#fetcher.giveBack(used);
        if (damaged.length === 0) return this.#noteSources(plan, fetched);
        this.#blame(plan, fetched, damaged);
      } catch (cause) {
        if (!(cause instanceof ThreadGone)) throw cause;
      }
    }
  }

  #noteSources({ frames }: PlacePlan, { sources }: FetchedFrames): void {
    for (const [number, { place }] of frames.entries()) {
      this.#parts.elsewhere.gave((sources[number] as Source).copy, place.storedLength);
    }
  }

  #blame({ frames }: PlacePlan, { sources }: FetchedFrames, damaged: AnswerTo<'place'>['damaged']): void {
    const seen = new Set<number>();
    for (const { frame, message } of damaged) {
      if (seen.has(frame)) continue;
      seen.add(frame);
      const cause = new HoldfastError('OBJECT_DAMAGED', message);
      this.#fetcher.damaged(frames[frame] as WantedFrame, sources[frame] as Source, cause);
    }
  }

  /** A job that was lost with its thread is done again by another. */
  async #repeated<T>(run: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await run();
      } catch (cause) {
        if (!(cause instanceof ThreadGone) || this.#failure) throw cause;
      }
    }
  }

  #track(work: () => Promise<void>): Promise<void> {
    const task = work()
      .catch((cause: unknown) => this.#fail(cause))
      .finally(() => this.#underWay.delete(task));
    this.#underWay.add(task);
    return task;
  }

  #note(files: readonly TargetFile[], isKept: boolean): void {
    const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#done = {
      ...this.#done,
      files: this.#done.files + files.length,
      bytes: this.#done.bytes + bytes,
      keptFiles: this.#done.keptFiles + (isKept ? files.length : 0),
      keptBytes: this.#done.keptBytes + (isKept ? bytes : 0),
    };
    this.#options.onProgress?.(this.#done);
  }

  #fail(cause: unknown): void {
    const isCancelled = this.#options.signal?.aborted ?? false;
    const failure = isCancelled ? new HoldfastError('CANCELLED', 'restoring files was cancelled', { cause }) : cause;
    this.#failure ??= { cause: failure };
    this.#stop.abort();
  }

  #check(): void {
    if (this.#options.signal?.aborted) this.#fail(this.#options.signal.reason);
    if (this.#failure) throw this.#failure.cause;
  }

  get #setup(): ReadingSetup {
    const { idBytes, chunkId } = this.#parts.core.keys;
    return { vaultId: idBytes, chunkIdKey: chunkId };
  }
}

async function* batchesOf(
  files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>,
  options: RestoreFilesOptions,
  isSynced: boolean,
): AsyncGenerator<readonly Wanted[]> {
  let batch: Wanted[] = [];
  let bytes = 0;
  for await (const { entry, path, mode, owner = options.owner } of files) {
    if (batch.length > 0 && (batch.length === BATCH_FILES || bytes + entry.sizeBytes > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (entry.type !== 'file' || !entry.chunks)
      fail('INTERNAL', `'${shownPath(entry.path)}' is not a file of a snapshot`);
    const file: TargetFile = {
      path: checkPath(path ?? entry.path),
      sizeBytes: entry.sizeBytes,
      ...(entry.sha256 !== undefined && { sha256: entry.sha256 }),
      mode: (mode ?? entry.mode) & 0o7777,
      mtimeSeconds: entry.mtimeSeconds,
      ...(options.isExact && exactly(entry)),
      ...(owner && { owner }),
      isSynced,
    };
    batch.push({ file, entry });
    bytes += entry.sizeBytes;
  }
  if (batch.length > 0) yield batch;
}

function exactly({ mtimeNanos, xattrs, holes }: TreeEntry) {
  return { mtimeNanos: mtimeNanos ?? 0, xattrs: xattrs ?? {}, ...(holes && { holes }) };
}

/** What a tree says is authentic, and still never leads out of the target. */
function checkPath(path: string): string {
  const isBelow = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isBelow || path.includes('\0'))
    fail('OBJECT_DAMAGED', `the snapshot has an entry outside of itself: '${shownPath(path)}'`);
  return path;
}
