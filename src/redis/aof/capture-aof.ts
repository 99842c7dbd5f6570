// One snapshot of kind `aof`: every set that is kept, as it is, so that its window joins that of the capture before.

import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Moment, momentFromDate, momentFromUnixMicros } from '../../domain/moment.ts';
import { fail, HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { SnapshotOnCopies, SnapshotWriter, TreeEntry, Vault } from '../../vault/types.ts';
import { RedisConnection } from '../connection/index.ts';
import { identify, requireStandalone, type ServerIdentity } from '../identity.ts';
import { RdbWalk } from '../rdb/index.ts';
import { findTools } from '../tools.ts';
import { AOF, type CaptureRequest, type CaptureServer, capturedServer } from '../types.ts';
import { CommandWalk } from './command-walk.ts';
import type { AofDetails, CapturedFile, CapturedSet } from './details.ts';
import { type AppendOnlyPlace, type KeptSet, keepNow, keptSets, letGo, readManifest } from './keeper.ts';
import { type LostSet, letGoShared, lostSets, setAside } from './lost-sets.ts';
import type { ManifestFile } from './manifest.ts';

export interface CaptureAofOptions {
  readonly vault: Vault;
  readonly server: CaptureServer;
  readonly place: AppendOnlyPlace;
  readonly request: CaptureRequest;
  readonly onProgress?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

const ATTEMPTS = 5;
const READ_BYTES = 1024 * 1024;

/**
 * Resolves with the committed snapshot. Throws the `REDIS_…` errors, `TOOL_VERSION`, `BACKUP_INVALID` for a damaged file, `POLICY_UNMET`,
 * `CANCELLED`; nothing is committed then, and all stays kept.
 */
export async function captureAof(options: CaptureAofOptions): Promise<SnapshotOnCopies> {
  const { vault, request, signal, server } = options;
  const earlier = await vault.completeSnapshot(request.component, request.snapshotId);
  if (earlier !== undefined) return earlier;
  const identity = await identityOf(server, signal);
  await findTools(identity, server);
  try {
    for (let attempt = 1; ; ) {
      const taken = await new AofCapture(options, identity).run();
      if (typeof taken === 'object') return taken;
      // What was stored stays, and is not stored again.
      if (taken === 'rewritten' && attempt++ === ATTEMPTS)
        fail('BACKUP_INVALID', 'the append-only files were rewritten in every attempt to capture them');
    }
  } catch (error) {
    throw signal.aborted && !isHoldfastError(error, 'CANCELLED')
      ? new HoldfastError('CANCELLED', 'the capture was cancelled', { cause: error })
      : error;
  }
}

async function identityOf({ source }: CaptureServer, signal: AbortSignal): Promise<ServerIdentity> {
  const connection = await RedisConnection.open(source, { signal });
  try {
    const identity = await identify(connection);
    requireStandalone(identity, connection.where);
    if (identity.isAppendOnly) return identity;
    return fail('REDIS_UNFIT', `'${connection.where}' writes no append-only files`, {
      hint: 'switch them on: `appendonly yes` in its configuration',
    });
  } finally {
    connection.close();
  }
}

class AofCapture {
  readonly #options: CaptureAofOptions;
  readonly #identity: ServerIdentity;
  #known = new Map<string, TreeEntry>();
  #before: AofDetails | undefined;
  #beforeFrom: Moment | undefined;
  #lost: readonly LostSet[] = [];
  #sizeBytes = 0;

  constructor(options: CaptureAofOptions, identity: ServerIdentity) {
    this.#options = options;
    this.#identity = identity;
  }

  /** In words when it is to be taken again: the manifest changed meanwhile, or a damaged set was in the way. */
  async run(): Promise<SnapshotOnCopies | 'rewritten' | 'set aside'> {
    const { vault, request, place, signal } = this.#options;
    const { snapshotId: id, component, host } = request;
    await this.#readBefore();
    const present = await keepNow(place);
    // What was written by now is in the files, and will be read.
    const from = momentFromDate(new Date());
    const sets = withoutRepetition(await keptSets(place), present);
    this.#lost = await lostSets(place, this.#beforeFrom);
    const writer = await vault.writeSnapshot({ id, component, host, kind: AOF, class: AOF, from });
    try {
      const captured: CapturedSet[] = [];
      for (const set of sets) {
        const done = await this.#set(writer, set, captured.at(-1)).catch(damageOf);
        if (!isHoldfastError(done)) {
          captured.push(done);
          continue;
        }
        // The server's own present files: a rewrite makes new ones of what it has in memory.
        if (set.id === present.id) throw done;
        await writer.abandon();
        if (!(await letGoShared(place, set, done.details?.file))) await setAside(place, set, done.message);
        return 'set aside';
      }
      signal.throwIfAborted();
      if (!(await isStill(place, present))) {
        await writer.abandon();
        return 'rewritten';
      }
      const engine = this.#details(captured);
      const snapshot = await writer.commit({ to: endOf(captured, from), state: 'clean', engine: { ...engine } });
      await letGo(sets, present.id);
      return snapshot;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  /** Of the capture before: what is the same is taken over unread. */
  async #readBefore(): Promise<void> {
    const { vault, request } = this.#options;
    const last = (await vault.listSnapshots(request.component)).find(({ kind }) => kind === AOF);
    if (last === undefined) return;
    this.#before = last.engine as unknown as AofDetails;
    this.#beforeFrom = last.from;
    const reader = await vault.openSnapshot(last.id);
    try {
      for await (const entry of reader.entries()) this.#known.set(entry.path, entry);
    } finally {
      reader.close();
    }
  }

  async #set(
    writer: SnapshotWriter,
    { id, directory, base, incrementals }: KeptSet,
    last: CapturedSet | undefined,
  ): Promise<CapturedSet> {
    await writer.addDirectory({ path: id, mode: 0o700, mtimeSeconds: Math.floor(Date.now() / 1000) });
    const files: CapturedFile[] = [];
    for (const file of [base, ...incrementals]) files.push(await this.#file(writer, id, directory, file));
    const [first, ...rest] = files as [CapturedFile, ...CapturedFile[]];
    const captured = { id, base: first, incrementals: rest };
    return { ...captured, follows: this.#follows(captured, last) };
  }

  async #file(writer: SnapshotWriter, set: string, directory: string, file: ManifestFile): Promise<CapturedFile> {
    const { onProgress } = this.#options;
    const source = path.join(directory, file.name);
    const { size, mtimeMs } = await stat(source);
    const entry = { path: `${set}/${file.name}`, mode: 0o600, mtimeSeconds: Math.floor(mtimeMs / 1000) };
    const before = this.#before?.sets.find(({ id }) => id === set);
    const told = [before?.base, ...(before?.incrementals ?? [])].find((each) => each?.name === file.name);
    const known = this.#known.get(entry.path);
    const isSame = known?.sizeBytes === size && known.mtimeSeconds === entry.mtimeSeconds && told !== undefined;
    this.#sizeBytes += size;
    if (isSame && (await writer.addUnchanged(known))) return told;
    const walk = file.name.endsWith('.rdb') ? new RdbWalk() : new CommandWalk();
    let read = 0;
    const pieces = this.#pieces(source, size, (chunk) => {
      walk.push(chunk);
      read += chunk.length;
      onProgress?.(this.#sizeBytes - size + read);
    });
    await writer.addFile({ ...entry, chunking: 'pages' }, pieces);
    const head = { name: file.name, sequence: file.sequence, type: file.type, sizeBytes: size } as const;
    if (walk instanceof RdbWalk) return { ...head, facts: walk.end() };
    const commands = walk.end();
    if (commands.damage !== undefined)
      fail('BACKUP_INVALID', `'${source}' is damaged behind byte ${commands.wholeBytes}: ${commands.damage}`, {
        hint: 'BGREWRITEAOF makes new files of what the server has in memory; then it can be captured again',
        details: { file: file.name },
      });
    return { ...head, commands };
  }

  /** No more than was there: the server goes on writing. */
  async *#pieces(source: string, sizeBytes: number, onChunk: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
    const handle = await open(source);
    try {
      for (let at = 0; at < sizeBytes; ) {
        this.#options.signal.throwIfAborted();
        const length = Math.min(READ_BYTES, sizeBytes - at);
        const { buffer, bytesRead } = await handle
          .read(Buffer.allocUnsafe(length), 0, length, at)
          .catch((error: unknown) => unreadable(source, error));
        if (bytesRead === 0) fail('BACKUP_INVALID', `'${source}' became shorter while it was read`);
        const chunk = buffer.subarray(0, bytesRead);
        at += bytesRead;
        onChunk(chunk);
        yield chunk;
      }
    } finally {
      await handle.close();
    }
  }

  #details(sets: readonly CapturedSet[]): AofDetails {
    const lost = this.#lost.map(({ id, why }) => ({ id, why }));
    return {
      ...{ server: capturedServer(this.#identity), sets, sizeBytes: this.#sizeBytes },
      ...(lost.length > 0 && { lost }),
    };
  }

  /** A set of the capture before, or one whose commands begin where those of the set before end. `inThis`: the set before in this capture. */
  #follows({ id, base, incrementals }: Omit<CapturedSet, 'follows'>, inThis: CapturedSet | undefined): boolean {
    const known = this.#before?.sets.find((each) => each.id === id);
    if (known !== undefined) return inThis === undefined || known.follows;
    const last = inThis ?? this.#before?.sets.at(-1);
    const [first] = incrementals;
    if (last === undefined || first === undefined) return false;
    const end = last.incrementals.at(-1)?.sequence ?? last.base.sequence;
    // Also the last one itself: what it had behind the capture before is gone.
    if (this.#lost.some(({ sequence }) => sequence >= last.base.sequence && sequence < base.sequence)) return false;
    return base.sequence > last.base.sequence && first.sequence <= end + 1;
  }
}

/** Incremental files that stand in the next set too serve it, and are left out of the one before. */
function withoutRepetition(sets: readonly KeptSet[], present: KeptSet): readonly KeptSet[] {
  const all = [...sets.filter(({ id }) => id !== present.id), present];
  return all.map((set, index) => {
    const next = new Set(all[index + 1]?.inodes.values());
    const isRepeated = (name: string) => next.has(set.inodes.get(name) ?? -1n);
    return { ...set, incrementals: set.incrementals.filter(({ name }) => !isRepeated(name)) };
  });
}

/** Anything else is no reason to give up what is kept. */
function damageOf(error: unknown): HoldfastError {
  if (isHoldfastError(error, 'BACKUP_INVALID')) return error;
  throw error;
}

/** A disk that cannot give back what lies on it is a damage of that; the same of any other file is not. */
function unreadable(source: string, error: unknown): never {
  if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error;
  return fail('BACKUP_INVALID', `'${source}' cannot be read: EIO`, {
    details: { file: path.basename(source) },
    cause: error,
  });
}

async function isStill(place: AppendOnlyPlace, { base }: KeptSet): Promise<boolean> {
  return (await readManifest(place)).some(({ name, type }) => type === 'base' && name === base.name);
}

/** The last time that the server noted, where it notes any; it is never before the capture began. */
function endOf(sets: readonly CapturedSet[], from: Moment): Moment {
  const seconds = sets
    .at(-1)
    ?.incrementals.flatMap(({ commands }) => commands?.lastSeconds ?? [])
    .at(-1);
  if (seconds === undefined) return from;
  const noted = momentFromUnixMicros(BigInt(seconds) * 1_000_000n);
  return noted > from ? noted : from;
}
