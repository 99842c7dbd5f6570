// One snapshot of configuration: commands run, files captured as files are, texts committed to Git, everything into the vault; then the repository and the remote follow.

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import type { ComponentId } from '../domain/component.ts';
import { momentFromDate } from '../domain/moment.ts';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import { captureTree, type FilesDetails, type FilesProgress, presentDirectory, straightRoots } from '../files/index.ts';
import { findProgram, type HeldLock, holdLock } from '../process/index.ts';
import type { SnapshotId, SnapshotOnCopies, SnapshotReader, SnapshotWriter, TreeEntry, Vault } from '../vault/index.ts';
import { outcomesOf } from './command-outcome.ts';
import { type RanCommand, runCommands } from './commands.ts';
import { KEY_BYTES, markerKeyOf } from './marker-key.ts';
import { BUNDLE, isBelowRoot, isOwn, KNOWN_SECRETS } from './own-entries.ts';
import { addOwnFiles, once, ownEntry } from './own-files.ts';
import { filesOf, type Remembered, readableParent, rememberedBy } from './parent.ts';
import { expandPaths } from './paths.ts';
import { inWorkDirectory, type Place, preparePlace } from './place.ts';
import { Redaction } from './redaction/redaction.ts';
import { fetchCommit, makeBundle, proveBundle } from './repository/bundle.ts';
import { makeCommit, SCRATCH, scratchRepository } from './repository/make-commit.ts';
import { commitOf, goForward, type OpenedRepository, openRepository } from './repository/open-repository.ts';
import { type PushOutcome, push } from './repository/push.ts';
import type { Remote } from './repository/remote.ts';
import { listTree, writeTree } from './repository/write-tree.ts';
import { writeSeen } from './seen.ts';
import { textsOf } from './texts.ts';
import type { ConfigurationDetails, ConfigurationSource } from './types.ts';

export const CONFIGURATION = 'configuration';

export interface CaptureConfigurationOptions {
  readonly vault: Vault;
  readonly place: Place;
  readonly source: ConfigurationSource;
  readonly remote?: Remote;
  /** `snapshotId` is chosen by the run: a repeated attempt has the same and finds what an earlier one committed. */
  readonly request: {
    readonly snapshotId: SnapshotId;
    readonly component: ComponentId;
    readonly class: string;
    readonly host: string;
  };
  readonly onProgress?: (progress: FilesProgress) => void;
  /** Told how many texts were looked through for secrets. */
  readonly onText?: (texts: number) => void;
  readonly signal: AbortSignal;
}

export interface CapturedConfiguration {
  readonly snapshot: SnapshotOnCopies;
  /** Absent without a remote. */
  readonly push?: PushOutcome;
  /** In words, what was mended on the way. */
  readonly mended: readonly string[];
}

/**
 * Resolves when the snapshot is committed, the repository has its commit, and the remote was tried: what failed of the latter is told. Throws
 * `FILES_ROOT`, `LOCKED`, `FENCED`, `PROGRAM_MISSING`, `BACKUP_INVALID`, `CANCELLED`, `POLICY_UNMET` and what the stores say; a snapshot that was committed before the error is
 * found by the next attempt.
 */
export async function captureConfiguration(options: CaptureConfigurationOptions): Promise<CapturedConfiguration> {
  await findProgram('git');
  const { place, signal } = options;
  await preparePlace(place);
  const lock = await holdLock(place.lock, { signal });
  try {
    return await inWorkDirectory(place, (workDirectory) => new Capture(options, workDirectory, lock).run());
  } catch (error) {
    const isCancelled = signal.aborted && !isHoldfastError(error, 'CANCELLED');
    throw isCancelled ? new HoldfastError('CANCELLED', 'the snapshot was cancelled', { cause: error }) : error;
  } finally {
    await lock.release();
  }
}

/** What a capture begins with. */
interface Given {
  readonly opened: OpenedRepository;
  readonly reader: SnapshotReader | undefined;
  readonly redaction: Redaction;
  /** Of the markers. */
  readonly key: Uint8Array;
}

interface Captured extends Given {
  readonly ran: readonly RanCommand[];
  readonly writer: SnapshotWriter;
  readonly files: FilesDetails;
  readonly expanded: Awaited<ReturnType<typeof expandPaths>>;
}

class Capture {
  readonly #options: CaptureConfigurationOptions;
  readonly #workDirectory: string;
  readonly #started = new Date();
  readonly #entries: TreeEntry[] = [];
  #lost: HoldfastError | undefined;

  constructor(options: CaptureConfigurationOptions, workDirectory: string, lock: HeldLock) {
    this.#options = options;
    this.#workDirectory = workDirectory;
    void lock.lost.then((error) => {
      this.#lost = error;
    });
  }

  async run(): Promise<CapturedConfiguration> {
    const { vault, place, request } = this.#options;
    const earlier = await vault.completeSnapshot(request.component, request.snapshotId);
    const snapshots = await vault.listSnapshots(request.component);
    const opened = await this.#open(snapshots);
    const reader = earlier ? undefined : await readableParent(vault, snapshots, request.class);
    let redaction: Redaction | undefined;
    try {
      // Of a snapshot that is there already no text is made: only words of the push are looked at.
      const remembered: Remembered = earlier
        ? { secrets: [], lost: [] }
        : await rememberedBy(vault, place, snapshots, request.class);
      const key = earlier ? randomBytes(KEY_BYTES) : await markerKeyOf(place, remembered.key);
      redaction = this.#redaction(key, remembered.secrets);
      const snapshot = earlier ?? (await this.#capture({ opened, reader, redaction, key }));
      if (!earlier) await writeSeen(place, snapshot.id, this.#entries);
      this.#requireOurs();
      return {
        snapshot,
        mended: [...opened.mended, ...remembered.lost],
        ...(await this.#push(opened, redaction, key)),
      };
    } finally {
      reader?.close();
      await redaction?.close();
    }
  }

  #redaction(key: Uint8Array, remembered: readonly string[]): Redaction {
    const { source, signal } = this.#options;
    const known = source.commands.flatMap(({ env }) => Object.values(env));
    return new Redaction({ key, rules: source.redact, known, remembered, signal });
  }

  async #push(
    { git }: OpenedRepository,
    redaction: Redaction,
    key: Uint8Array,
  ): Promise<Pick<CapturedConfiguration, 'push'>> {
    const { remote, place } = this.#options;
    if (!remote) return {};
    // One that was at many texts may look through no more: why nothing was pushed must be told all the same.
    const fresh = this.#redaction(key, redaction.remembered);
    try {
      return { push: await push(git, place, remote, { now: new Date(), redaction: fresh }) };
    } finally {
      await fresh.close();
    }
  }

  async #open(snapshots: readonly SnapshotOnCopies[]): Promise<OpenedRepository> {
    const { vault, place, signal } = this.#options;
    return await openRepository({ place, vault, snapshots, workDirectory: this.#workDirectory, signal });
  }

  async #capture(parts: Given): Promise<SnapshotOnCopies> {
    const { opened, reader } = parts;
    const { vault, source, request, signal } = this.#options;
    const expanded = await expandPaths(source.paths);
    const roots = await straightRoots(expanded.roots);
    for (const root of roots.keys())
      if (isOwn(root)) fail('FILES_ROOT', `'/${root}' cannot be captured: the name is ours`);
    const ran = await runCommands(source.commands, signal);
    const from = momentFromDate(this.#started);
    const { snapshotId: id, component, host } = request;
    const writer = await vault.writeSnapshot({ id, component, kind: CONFIGURATION, class: request.class, from, host });
    try {
      const files = await captureTree({
        ...this.#options,
        source: { roots: expanded.roots, rules: source.rules },
        writer,
        roots,
        scanStart: this.#started,
        onEntry: (entry) => this.#entries.push(entry),
        ...(reader && { known: filesOf(reader) }),
      });
      const details = await this.#addTexts({ ...parts, ran, writer, files, expanded });
      const isWhole = [files.unseen.count, expanded.missing.length].every((count) => count === 0);
      const state = isWhole && ran.every(({ because }) => because === undefined) ? 'clean' : 'damaged';
      this.#requireOurs();
      const snapshot = await writer.commit({ to: momentFromDate(new Date()), state, engine: { ...details } });
      await this.#takeOver(opened, snapshot);
      return snapshot;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  /** Outputs and bundle into the tree; the commit is in the scratch repository alone. */
  async #addTexts(parts: Captured): Promise<ConfigurationDetails> {
    const { opened, ran, writer, reader, files, expanded, redaction, key } = parts;
    const { source, request, signal, onText } = this.#options;
    await this.#addParents(writer, expanded.roots);
    await addOwnFiles(writer, ran, key, this.#started);
    const scratch = await scratchRepository(opened.git, this.#workDirectory, signal);
    const before = opened.main === undefined ? [] : await listTree(scratch, opened.main);
    const texts = await textsOf({
      source,
      entries: this.#entries,
      ran,
      redaction,
      before: new Map(before.map((file) => [file.path, file])),
      ...(onText && { onText }),
    });
    await writer.addFile(
      ownEntry(KNOWN_SECRETS, this.#started),
      once(Buffer.from(JSON.stringify(redaction.remembered))),
    );
    const tree = await writeTree(scratch, this.#workDirectory, texts.files, texts.kept);
    const { component, host, snapshotId } = request;
    const repository = await makeCommit(scratch, { opened, tree, snapshotId, component, host, at: this.#started });
    await this.#addBundle(writer, reader, repository.commit, () => makeBundle(scratch, this.#bundle));
    return {
      ...files,
      paths: source.paths,
      missing: expanded.missing,
      unmatched: expanded.unmatched,
      commands: await outcomesOf(ran, redaction),
      repository,
      secrets: texts.secrets,
      withheld: texts.withheld,
    };
  }

  /** A single file comes back into its directory: what that is has to be known. */
  async #addParents(writer: SnapshotWriter, roots: readonly string[]): Promise<void> {
    const files = this.#entries.filter(({ path: name, type }) => type !== 'directory' && roots.includes(`/${name}`));
    const parents = new Set(files.map(({ path: name }) => path.posix.dirname(`/${name}`)));
    for (const parent of [...parents].sort()) {
      if (parent !== '/' && !isBelowRoot(parent.slice(1), roots)) await writer.addEntry(await presentDirectory(parent));
    }
  }

  get #bundle(): string {
    return path.join(this.#workDirectory, 'repository.bundle');
  }

  /** The same history is not stored again. */
  async #addBundle(
    writer: SnapshotWriter,
    reader: SnapshotReader | undefined,
    commit: string,
    make: () => Promise<void>,
  ): Promise<void> {
    if (reader && commitOf(reader.snapshot) === commit) {
      for await (const entry of reader.entries()) {
        if (entry.path === BUNDLE && (await writer.addUnchanged(entry))) return;
      }
    }
    await make();
    await proveBundle(this.#bundle, commit, this.#workDirectory, this.#options.signal);
    await writer.addFile(ownEntry(BUNDLE, this.#started), createReadStream(this.#bundle));
  }

  /** Only now: what no snapshot holds, `main` must not show. */
  async #takeOver({ git, main }: OpenedRepository, snapshot: SnapshotOnCopies): Promise<void> {
    const commit = commitOf(snapshot);
    if (commit === main) return;
    this.#requireOurs();
    await fetchCommit(git, path.join(this.#workDirectory, SCRATCH), commit);
    await goForward(git, commit);
  }

  #requireOurs(): void {
    if (this.#options.signal.aborted) fail('CANCELLED', 'the snapshot was cancelled');
    if (this.#lost) throw this.#lost;
  }
}
