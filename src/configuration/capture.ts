// One snapshot of configuration: commands run, files captured as files are, texts committed to Git, everything into the vault; then the repository and the remote follow.

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { ComponentId } from '../domain/component.ts';
import { momentFromDate } from '../domain/moment.ts';
import { shownPath } from '../domain/path-text.ts';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import { captureTree, type FilesProgress, straightRoots } from '../files/index.ts';
import { findProgram, type HeldLock, holdLock } from '../process/index.ts';
import type { SnapshotId, SnapshotOnCopies, TreeEntry, Vault } from '../vault/index.ts';
import { addTexts, type Given, type TextsPlace } from './capture-texts.ts';
import { runCommands } from './commands.ts';
import { KEY_BYTES, markerKeyOf } from './marker-key.ts';
import { isOwn } from './own-entries.ts';
import { filesOf, type Remembered, readableParent, rememberedBy } from './parent.ts';
import { expandPaths } from './paths.ts';
import { inWorkDirectory, type Place, preparePlace } from './place.ts';
import { Redaction } from './redaction/redaction.ts';
import { fetchCommit } from './repository/bundle.ts';
import { SCRATCH } from './repository/make-commit.ts';
import { commitOf, goForward, type OpenedRepository, openRepository } from './repository/open-repository.ts';
import { type PushOutcome, push } from './repository/push.ts';
import type { Remote } from './repository/remote.ts';
import { writeSeen } from './seen.ts';
import type { ConfigurationSource } from './types.ts';

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
    const own = source.ownSecrets?.values ?? [];
    return new Redaction({ key, rules: source.redact, known, own, remembered, signal });
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
      if (isOwn(root)) fail('FILES_ROOT', `'/${shownPath(root)}' cannot be captured: the name is ours`);
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
      const captured = { ...parts, ran, writer, files, expanded, entries: this.#entries };
      const details = await addTexts({ ...this.#options, ...this.#place }, captured);
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

  /** Only now: what no snapshot holds, `main` must not show. */
  async #takeOver({ git, main }: OpenedRepository, snapshot: SnapshotOnCopies): Promise<void> {
    const commit = commitOf(snapshot);
    if (commit === main) return;
    this.#requireOurs();
    await fetchCommit(git, path.join(this.#workDirectory, SCRATCH), commit);
    await goForward(git, commit);
  }

  get #place(): TextsPlace {
    return { workDirectory: this.#workDirectory, started: this.#started };
  }

  #requireOurs(): void {
    if (this.#options.signal.aborted) fail('CANCELLED', 'the snapshot was cancelled');
    if (this.#lost) throw this.#lost;
  }
}
