// Fetches the frozen list of log files ahead of a recovering server and puts them where its restore command looks.

import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { lsnValue, parseSegmentName } from '../../domain/lsn.ts';
import { historyFileName, parseTimelineHistory, type TimelineHistory } from '../../domain/timeline.ts';
import { type HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { letGo } from '../../vault/index.ts';
import type { LogCopy, Vault } from '../../vault/types.ts';
import type { PlannedSegment, RestorePlan } from '../types.ts';
import { assembleSegment } from './assemble-segment.ts';
import { give, ifAbsent, makeDirectory, type Owner, ownerFor, writeDurably } from './durable-files.ts';
import { indexBySegment, type SegmentIndex } from './log-archive.ts';
import { pathsOf } from './work-directory.ts';

export interface LogFeedOptions {
  readonly logger?: Logger;
  /** How long a log file that no copy gives is asked for again before recovery is ended; default 10 minutes. */
  readonly retryForMs?: number;
  /** Segments kept ready in front of the server; default 8. Bounds the spool together with the few behind it. */
  readonly ahead?: number;
}

export interface LogFeed {
  /** Segments that the server has asked for, of all, and for how long it waited for one that was not fetched yet. */
  readonly progress: { readonly segments: number; readonly ofSegments: number; readonly waitedMs: number };
  /** Set once a planned log file cannot be had: from then on the restore command ends recovery. */
  readonly failure: HoldfastError | undefined;
  stop(): Promise<void>;
}

const defaultRetryForMs = 10 * 60_000;
const defaultAhead = 8;
/** Segments fetched at once; each is held in memory whole. */
const fetchesAtOnce = 3;
/** The server may ask again for a segment it has just had (a restart, a page read twice). */
const keptBehind = 2;
const heartbeatMs = 1_000;
const pauseMs = 20;
const firstBackoffMs = 200;
const maxBackoffMs = 10_000;

/** Idempotent: a feed started after another one died goes on where the server is. Resolves when the list can be asked. */
export async function startLogFeed(plan: RestorePlan, vault: Vault, options: LogFeedOptions = {}): Promise<LogFeed> {
  const feed = new Feed(plan, vault, options, await ownerFor(plan.execution.runAs));
  await feed.prepare();
  feed.begin();
  return feed;
}

interface Source {
  readonly log: LogCopy;
  segments: SegmentIndex | undefined;
}

class Feed implements LogFeed {
  failure: HoldfastError | undefined;
  private readonly plan: RestorePlan;
  private readonly options: LogFeedOptions;
  private readonly owner: Owner | undefined;
  private readonly spool: string;
  private readonly sources: readonly Source[];
  private readonly indexByName: ReadonlyMap<string, number>;
  private readonly fetching = new Map<string, Promise<void>>();
  private readonly ready = new Set<string>();
  private readonly failingSince = new Map<string, { since: number; next: number; backoffMs: number }>();
  private readonly histories = new Map<number, TimelineHistory>();
  /** Whether the server can be given links. */
  private isLinked = false;
  private reached = -1;
  private waitedMs = 0;
  private isStopped = false;
  private loop: Promise<void> | undefined;
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(plan: RestorePlan, vault: Vault, options: LogFeedOptions, owner: Owner | undefined) {
    this.plan = plan;
    this.options = options;
    this.owner = owner;
    this.spool = pathsOf(plan).spool;
    const names = [plan.log.copy, ...vault.copies.map(({ name }) => name).filter((name) => name !== plan.log.copy)];
    const log = (copy: string) => vault.log(plan.component, plan.source.systemId, copy);
    this.sources = names.map((copy) => ({ log: log(copy), segments: undefined }));
    this.indexByName = new Map(plan.log.segments.map(({ name }, index) => [name, index]));
  }

  get progress() {
    const { reached, waitedMs } = this;
    return { segments: reached + 1, ofSegments: this.plan.log.segments.length, waitedMs: Math.round(waitedMs) };
  }

  /** The list comes last: without it the restore command answers nothing. */
  async prepare(): Promise<void> {
    const { spool, owner, plan } = this;
    await makeDirectory(spool, 0o700, owner);
    await rm(path.join(spool, 'failed'), { force: true });
    // Of what is ready the names may be gone, or there without their bytes, if the machine went down: it is fetched again.
    await rm(path.join(spool, 'ready'), { recursive: true, force: true });
    await makeDirectory(path.join(spool, 'ready'), 0o700, owner);
    const wanted = path.join(spool, 'wanted');
    await makeDirectory(wanted, 0o700, owner);
    // Who asked for it may be gone; who still waits asks again.
    for (const name of await readdir(wanted)) await rm(path.join(wanted, name), { force: true });
    const log = await stat(path.join(pathsOf(plan).data, 'pg_wal')).catch(ifAbsent(undefined));
    this.isLinked = (await stat(spool)).dev === log?.dev;
    await this.beat();
    // A promoting server asks for them when the feed is over: they are ready before it begins, and stay.
    for (const timeline of plan.log.histories) await this.fetch(historyFileName(timeline));
    const names = [...plan.log.segments.map(({ name }) => name), ...plan.log.histories.map(historyFileName)];
    await writeDurably(path.join(spool, 'list'), `${names.join('\n')}\n`, 0o600, owner);
  }

  begin(): void {
    this.heartbeat = setInterval(() => void this.beat().catch(() => undefined), heartbeatMs);
    this.loop = this.run().catch(async (error: unknown) => this.giveUp('the spool', toHoldfastError(error)));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.heartbeat);
    await this.loop;
    await Promise.allSettled(this.fetching.values());
  }

  private async beat(): Promise<void> {
    const file = path.join(this.spool, 'heartbeat');
    await this.put(file, Buffer.from(`${Date.now()} ${randomBytes(4).toString('hex')}\n`));
  }

  /** A name that is there keeps its file: the server may have that under another name. `sync`: the bytes are on the disk when it has the name. */
  private async put(file: string, bytes: Uint8Array, { sync = false } = {}): Promise<void> {
    const partial = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
    try {
      const handle = await open(partial, 'wx', 0o600);
      try {
        await handle.writeFile(bytes);
        if (sync) await handle.datasync();
      } finally {
        await handle.close();
      }
      await give(partial, this.owner);
      await rename(partial, file);
    } catch (error) {
      // On a disk that is full each of these would take a little more of it.
      await rm(partial, { force: true });
      throw error;
    }
  }

  private async run(): Promise<void> {
    let lookedAt = performance.now();
    while (!this.isStopped && this.failure === undefined) {
      const asked = await this.takeWanted();
      const now = performance.now();
      if (asked.length > 0) this.waitedMs += now - lookedAt;
      lookedAt = now;
      await this.dropConsumed();
      for (const name of [...asked, ...this.upcoming()]) {
        if (this.fetching.size >= fetchesAtOnce) break;
        this.fetchSoon(name);
      }
      // One that is fetched makes way for the next at once: while it waits, one in `fetchesAtOnce` stands idle.
      await Promise.race([sleep(pauseMs), ...this.fetching.values()]);
    }
  }

  /**
   * What the server waits for right now; a name stays wanted until it is ready. A server that was started again asks from its last
   * restart point on, which is far behind what was asked for before.
   */
  private async takeWanted(): Promise<string[]> {
    const directory = path.join(this.spool, 'wanted');
    const asked = await readdir(directory).catch(ifAbsent([]));
    for (const name of asked) {
      const index = this.indexByName.get(name);
      if (index !== undefined && (index > this.reached || !this.ready.has(name))) this.reached = index;
      if (this.ready.has(name)) await unlink(path.join(directory, name)).catch(ifAbsent(undefined));
    }
    return asked.filter((name) => !this.ready.has(name));
  }

  private upcoming(): string[] {
    const from = Math.max(0, this.reached);
    const { ahead = defaultAhead } = this.options;
    return this.plan.log.segments.slice(from, from + ahead).map(({ name }) => name);
  }

  private async dropConsumed(): Promise<void> {
    for (const name of this.ready) {
      const index = this.indexByName.get(name);
      if (index === undefined || index >= this.reached - keptBehind) continue;
      this.ready.delete(name);
      await unlink(path.join(this.spool, 'ready', name)).catch(ifAbsent(undefined));
    }
  }

  private fetchSoon(name: string): void {
    const failing = this.failingSince.get(name);
    if (this.ready.has(name) || this.fetching.has(name) || (failing && failing.next > performance.now())) return;
    const task = this.fetch(name)
      .then(() => void this.failingSince.delete(name))
      .catch((error: unknown) => this.noteFailure(name, toHoldfastError(error)))
      .finally(() => this.fetching.delete(name));
    this.fetching.set(name, task);
  }

  private async noteFailure(name: string, error: HoldfastError): Promise<void> {
    const now = performance.now();
    const before = this.failingSince.get(name) ?? { since: now, next: now, backoffMs: firstBackoffMs };
    const backoffMs = Math.min(before.backoffMs * 2, maxBackoffMs);
    this.failingSince.set(name, { since: before.since, next: now + before.backoffMs, backoffMs });
    this.options.logger?.warn({ file: name, code: error.code }, `log file not there yet: ${error.message}`);
    if (now - before.since > (this.options.retryForMs ?? defaultRetryForMs)) await this.giveUp(name, error);
  }

  private async giveUp(name: string, error: HoldfastError): Promise<void> {
    this.failure ??= error;
    this.options.logger?.error({ file: name, code: error.code }, `log file given up: ${error.message}`);
    const failed = path.join(this.spool, 'failed');
    // Where not even this can be written, the restore command hears by the silence.
    await this.put(failed, Buffer.from(`${name}: ${error.message}\n`)).catch(() => clearInterval(this.heartbeat));
  }

  private async fetch(name: string): Promise<void> {
    const segment = this.plan.log.segments[this.indexByName.get(name) ?? -1];
    const bytes =
      segment === undefined
        ? Buffer.from(await this.fromAny((source) => source.log.readHistory(Number.parseInt(name.slice(0, 8), 16))))
        : await this.fromAny((source) => this.segmentFrom(source, segment));
    // The server syncs each file that it was given, and waits for that: of a link it finds it done.
    await this.put(path.join(this.spool, 'ready', name), bytes, { sync: this.isLinked });
    letGo(bytes);
    this.ready.add(name);
  }

  /** The planned copy first, then the others; the first copy's error when none has it. */
  private async fromAny<T>(read: (source: Source) => Promise<T>): Promise<T> {
    let first: unknown;
    for (const source of this.sources) {
      try {
        return await read(source);
      } catch (error) {
        // What is there changes: extents become closed segments, a copy that was behind catches up.
        if (isHoldfastError(error, 'OBJECT_MISSING', 'LOG_HOLE')) source.segments = undefined;
        first ??= error;
      }
    }
    throw first;
  }

  private async segmentFrom(source: Source, { name, timeline, toLsn }: PlannedSegment): Promise<Buffer> {
    const { segmentSizeBytes } = this.plan.source;
    source.segments ??= indexBySegment((await source.log.list()).objects);
    const { segment } = parseSegmentName(name, segmentSizeBytes);
    const history = await this.historyOf(timeline, source);
    const { log, segments } = source;
    return assembleSegment({ log, segments, history, segment, segmentSizeBytes, to: lsnValue(toLsn) });
  }

  private async historyOf(timeline: number, { log }: Source): Promise<TimelineHistory> {
    if (!this.plan.log.histories.includes(timeline)) return { timeline, ancestors: [] };
    const known = this.histories.get(timeline);
    if (known !== undefined) return known;
    const history = parseTimelineHistory(timeline, await log.readHistory(timeline));
    this.histories.set(timeline, history);
    return history;
  }
}
