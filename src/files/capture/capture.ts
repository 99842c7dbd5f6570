// One snapshot of files: a scan beside the tree of the snapshot before, what changed is read by the vault's threads, the manifest comes last.

import type { ComponentId } from '../../domain/component.ts';
import { momentFromDate } from '../../domain/moment.ts';
import { pathOfText, shownPath } from '../../domain/path-text.ts';
import { fail, HoldfastError } from '../../errors/index.ts';
import type {
  LocalFile,
  LocalFileResult,
  ReadFile,
  Snapshot,
  SnapshotId,
  SnapshotOnCopies,
  SnapshotWriter,
  TreeEntry,
  Vault,
} from '../../vault/index.ts';
import { KnownEntries } from '../known-entries.ts';
import { Owners } from '../owners.ts';
import type { Found, FoundBatch, LeftOut, Unseen } from '../scan/found.ts';
import { scan } from '../scan/scan.ts';
import { Telling } from '../told.ts';
import type { FilesDetails, FilesProgress, FilesSource } from '../types.ts';
import { Describer, isUnchanged, type Reading } from './entry-of.ts';
import { HardLinks } from './hard-links.ts';
import { requireFilled, sortedRoots, straightRoots } from './roots.ts';

export interface CaptureFilesOptions {
  readonly vault: Vault;
  readonly source: FilesSource;
  /** `snapshotId` is chosen by the run: a repeated attempt has the same and finds what an earlier one committed. */
  readonly request: {
    readonly snapshotId: SnapshotId;
    readonly component: ComponentId;
    readonly class: string;
    readonly host: string;
  };
  /** Where the roots lie and how they are to be read, when they are another host's, pulled here. */
  readonly pulled?: PulledSource;
  /** Awaited before so many bytes are read: the place for a rate. */
  readonly pace?: (bytes: number) => Promise<void>;
  readonly onProgress?: (progress: FilesProgress) => void;
  readonly signal: AbortSignal;
}

/** A tree that stands for one of another host. */
export interface PulledSource {
  /** Absolute, without links; the roots lie below it by their whole paths. */
  readonly base: string;
  /** When it began to be what it is: nothing later need be in it. */
  readonly startedAt: Date;
  readonly reading: Reading;
  /** Of the host, as it is reached. */
  readonly host: string;
}

export const FILES = 'files';
/** Vanished between the scan and the reading: it was not there. */
const GONE = new Set(['ENOENT', 'ENOTDIR']);

/**
 * Resolves with the committed snapshot; what could not be read is told in its details, and its state is `damaged` then. Throws `FILES_ROOT`
 * when a root is not there, `CANCELLED`, `POLICY_UNMET` and what the stores say; nothing is committed then.
 */
export async function captureFiles(options: CaptureFilesOptions): Promise<SnapshotOnCopies> {
  const { vault, request, signal } = options;
  const earlier = await vault.completeSnapshot(request.component, request.snapshotId);
  if (earlier !== undefined) return earlier;
  const { pulled, source } = options;
  const roots = pulled ? pulledRoots(source.roots, pulled) : await straightRoots(source.roots);
  const started = new Date();
  const { snapshotId: id, component, host } = request;
  const from = momentFromDate(pulled?.startedAt ?? started);
  const parent = (await vault.listSnapshots(component)).find((each) => each.class === request.class);
  if (parent) await requireFilled(roots, parent, () => entriesOf(vault, parent));
  const writer = await vault.writeSnapshot({ id, component, kind: FILES, class: request.class, from, host });
  try {
    const known = parent && entriesOf(vault, parent);
    const details = await captureTree({ ...options, writer, roots, scanStart: started, ...(known && { known }) });
    const state = details.unseen.count > 0 ? 'damaged' : 'clean';
    const engine = { ...details, ...(parent && filesBefore(parent)) };
    return await writer.commit({ to: momentFromDate(new Date()), state, engine });
  } catch (error) {
    await writer.abandon();
    const isCancelled = signal.aborted && !(error instanceof HoldfastError && error.code === 'CANCELLED');
    throw isCancelled ? new HoldfastError('CANCELLED', 'the snapshot was cancelled', { cause: error }) : error;
  }
}

function filesBefore({ engine }: Snapshot): Pick<FilesDetails, 'filesBefore'> {
  const { files } = engine as unknown as FilesDetails;
  return typeof files === 'number' ? { filesBefore: files } : {};
}

async function* entriesOf(vault: Vault, { id }: Snapshot): AsyncGenerator<readonly TreeEntry[]> {
  const reader = await vault.openSnapshot(id);
  try {
    yield* reader.entryBatches();
  } finally {
    reader.close();
  }
}

function pulledRoots(roots: readonly string[], { base }: PulledSource): ReadonlyMap<string, string> {
  return new Map(sortedRoots(roots).map((text) => [text, `${base}/${text}`]));
}

export interface CaptureTreeOptions
  extends Pick<CaptureFilesOptions, 'source' | 'pulled' | 'pace' | 'onProgress' | 'signal'> {
  readonly writer: SnapshotWriter;
  /** As `straightRoots` gives them. */
  readonly roots: ReadonlyMap<string, string>;
  /** When the snapshot was begun: what changed shortly before, or after, is read again next time. */
  readonly scanStart: Date;
  /** The tree of an earlier snapshot of the same class, in walk order. Where it cannot be read, what is left is captured without it. */
  readonly known?: AsyncIterable<readonly TreeEntry[]>;
  /** Told of each entry of the tree, in any order; without its chunks, where it was read now. A hard link is told before it is known whether its file can be read. */
  readonly onEntry?: (entry: TreeEntry) => void;
}

/** Adds the roots to a snapshot that somebody else commits, or abandons when this throws. */
export async function captureTree(options: CaptureTreeOptions): Promise<FilesDetails> {
  return await new Capture(options).run();
}

class Capture {
  readonly #options: CaptureTreeOptions;
  readonly #writer: SnapshotWriter;
  /** Where each root really is, by its text in the tree. */
  readonly #roots: ReadonlyMap<string, string>;
  readonly #describer: Describer;
  readonly #links = new HardLinks();
  readonly #unseen = new Telling<Unseen>();
  readonly #vanished = new Telling<string>();
  readonly #torn = new Telling<string>();
  readonly #leftOut = new Telling<LeftOut>();
  #known: KnownEntries | undefined;
  #files = 0;
  #directories = 0;
  #others = 0;
  #unchanged = 0;
  #sizeBytes = 0;
  #readBytes = 0;

  constructor(options: CaptureTreeOptions) {
    this.#options = options;
    this.#writer = options.writer;
    this.#roots = options.roots;
    const scanStartNs = BigInt(options.scanStart.getTime()) * 1_000_000n;
    this.#describer = new Describer(new Owners(), scanStartNs, options.pulled?.reading);
  }

  async run(): Promise<FilesDetails> {
    const { known } = this.#options;
    this.#known = known && new KnownEntries(known);
    try {
      const { pace } = this.#options;
      const paced = pace && { pace };
      await this.#writer.addLocalFiles(this.#filesToRead(), (result) => this.#noteRead(result), paced);
      await this.#writer.settle();
    } finally {
      await this.#known?.close();
    }
    this.#requireNotCancelled();
    return {
      roots: [...this.#options.source.roots],
      rules: this.#options.source.rules,
      files: this.#files,
      directories: this.#directories,
      others: this.#others,
      sizeBytes: this.#sizeBytes,
      unchangedFiles: this.#unchanged,
      unseen: this.#unseen.told,
      vanished: this.#vanished.told,
      torn: this.#torn.told,
      leftOut: this.#leftOut.told,
      ...(this.#known?.failure !== undefined && { parentUnread: this.#known.failure }),
      ...(this.#options.pulled && { pulledFrom: this.#options.pulled.host }),
    };
  }

  /** Adds everything else to the tree on the way. */
  async *#filesToRead(): AsyncGenerator<LocalFile> {
    const { source, onProgress } = this.#options;
    const base = this.#options.pulled?.base ?? '';
    const roots = [...this.#roots.keys()].map((text) => `${base}/${text}`);
    for await (const batch of scan({ roots, rules: source.rules })) {
      this.#requireNotCancelled();
      this.#noteScanned(batch);
      for (const found of batch.found) {
        const there = this.#asThere(found);
        // The scan leaves sockets out, but knows none of another host.
        if (there.type === 'socket') {
          this.#leftOut.add({ path: there.path, why: 'socket' });
          continue;
        }
        const file = await this.#add(there);
        if (file) yield file;
      }
      onProgress?.({ files: this.#files, bytes: this.#sizeBytes, readBytes: this.#readBytes });
    }
  }

  /** As the host has it that it was pulled from. */
  #asThere(found: Found): Found {
    const { pulled } = this.#options;
    if (!pulled) return found;
    return pulled.reading.found({ ...found, path: this.#pathThere(found.path) }, pathOfText(`/${found.path}`));
  }

  #pathThere(path: string): string {
    const { pulled } = this.#options;
    return pulled ? path.slice(pulled.base.length) : path;
  }

  async #add(found: Found): Promise<LocalFile | undefined> {
    const before = await this.#known?.take(found.path);
    const path = this.#straight(found.path);
    const leader = this.#links.leaderOf(found);
    if (leader !== undefined) {
      await this.#addLink(found, leader);
      return undefined;
    }
    if (found.type !== 'file') {
      const entry = await this.#describer.bare(found, before, pathOfText(path));
      await this.#writer.addEntry(entry);
      this.#tell({ ...entry, sizeBytes: 0 });
      if (found.type === 'directory') this.#directories++;
      else this.#others++;
      return undefined;
    }
    if (isUnchanged(found, before) && (await this.#writer.addUnchanged(before))) {
      this.#noteUnchanged(before);
      this.#tell(before);
      return undefined;
    }
    const { entry, settle } = await this.#describer.file(found, before, pathOfText(path));
    const settleNamed = (read: ReadFile) => {
      // Another file has the name by now: the other names of the one that was seen are no links to it.
      if (found.links > 1n && read.inode !== found.inode) this.#links.failed(found.path);
      const settled = settle(read);
      const { sizeBytes, sha256 } = read;
      this.#tell({ ...settled, type: 'file', sizeBytes, sha256 });
      return settled;
    };
    return { entry, settle: settleNamed, source: { straight: path }, sizeBytes: found.sizeBytes };
  }

  async #addLink(found: Found, leader: string): Promise<void> {
    const { path, mode, mtimeNs } = found;
    const mtimeSeconds = Number(mtimeNs / 1_000_000_000n);
    const entry = { path, type: 'hardlink', mode, mtimeSeconds, linkTarget: leader } as const;
    await this.#writer.addEntry(() => {
      if (this.#links.hasFailed(leader)) {
        this.#unseen.add({ path, code: 'ESTALE' });
        return undefined;
      }
      this.#others++;
      return entry;
    });
    this.#tell({ ...entry, sizeBytes: 0 });
  }

  #tell(entry: TreeEntry): void {
    this.#options.onEntry?.(entry);
  }

  #straight(path: string): string {
    for (const [text, real] of this.#roots) {
      if (path === text) return real;
      if (path.startsWith(`${text}/`)) return `${real === '/' ? '' : real}${path.slice(text.length)}`;
      if (text === '') return `/${path}`;
    }
    return fail('INTERNAL', `'${shownPath(path)}' is below no root`);
  }

  #noteUnchanged({ sizeBytes }: TreeEntry): void {
    this.#files++;
    this.#unchanged++;
    this.#sizeBytes += sizeBytes;
  }

  #noteScanned({ unseen, leftOut }: FoundBatch): void {
    for (const each of unseen) {
      const path = this.#pathThere(each.path);
      if (GONE.has(each.code)) this.#vanished.add(path);
      else this.#unseen.add({ ...each, path });
    }
    for (const each of leftOut) this.#leftOut.add({ ...each, path: this.#pathThere(each.path) });
  }

  #noteRead(result: LocalFileResult): void {
    const { path } = result;
    if ('code' in result) {
      this.#links.failed(path);
      if (GONE.has(result.code)) this.#vanished.add(path);
      else this.#unseen.add({ path, code: result.code });
      return;
    }
    this.#files++;
    this.#sizeBytes += result.sizeBytes;
    this.#readBytes += result.sizeBytes;
    if (result.isTorn) this.#torn.add(path);
  }

  #requireNotCancelled(): void {
    if (this.#options.signal.aborted) fail('CANCELLED', 'the snapshot was cancelled');
  }
}
