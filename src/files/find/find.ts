// In which snapshots a path is: every tree is read once, newest first, and equal states in a row become one.

import type { ComponentId } from '../../domain/component.ts';
import type { FilesFound, FoundPath, SnapshotMoment } from '../../domain/files-history.ts';
import { fail, toHoldfastError } from '../../errors/index.ts';
import type { Snapshot, SnapshotId, SnapshotOnCopies, TreeEntry, Vault } from '../../vault/index.ts';
import { Coverage } from '../compare/coverage.ts';
import { type WholeEntry, withoutChunks } from '../compare/whole-links.ts';
import { otherReading } from '../restore/meant-paths.ts';
import { Selector, treePath } from '../restore/select.ts';
import type { FilesDetails } from '../types.ts';
import { walkKey } from '../walk-order.ts';
import { type Looked, PathHistory } from './path-history.ts';

export interface FindFilesOptions {
  readonly vault: Pick<Vault, 'listSnapshots' | 'openSnapshot'>;
  readonly component: ComponentId;
  readonly wanted: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: { readonly snapshots: number; readonly of: number }) => void;
}

/** Paths in an answer. Of more, the first in the order of a walk are kept, whatever the snapshots hold. */
const MOST_PATHS = 100;
/** States in an answer that goes through a history, and of one path however many there are. */
const MOST_STATES = 1_000;
const FEW_STATES = 10;
const PATTERN = /[*?[\]!]/;

/** Throws `CANCELLED` and what the vault says of the list of snapshots; a snapshot that cannot be read is told. */
export async function findFiles(options: FindFilesOptions): Promise<FilesFound> {
  const { vault, component, wanted, signal, onProgress } = options;
  const { path, takes, isMeant } = wantedNames(wanted);
  const snapshots = (await vault.listSnapshots(component)).filter(({ kind }) => kind === 'files');
  const paths = new FirstPaths();
  const unread: FilesFound['unread'][number][] = [];
  const looked: Looked[] = [];
  for (const [at, snapshot] of snapshots.entries()) {
    if (signal.aborted) fail('CANCELLED', 'finding files was cancelled');
    try {
      const entries = await matching(vault, snapshot, takes, signal);
      const one = { moment: momentOf(snapshot), coverage: coverageOf(snapshot) };
      paths.note(one, looked, entries);
      looked.push(one);
    } catch (error) {
      if (signal.aborted) throw error;
      unread.push({ snapshot: momentOf(snapshot), message: toHoldfastError(error).message });
    }
    onProgress?.({ snapshots: at + 1, of: snapshots.length });
  }
  const [newest] = looked;
  const oldest = looked.at(-1);
  const found = paths.answer(newest?.moment.id, isMeant);
  const isNowhere = path !== undefined && found.paths.length === 0 && looked.length > 0;
  return {
    ...{ component, wanted, unread },
    looked: { snapshots: looked.length, ...(newest && oldest && { newest: newest.moment, oldest: oldest.moment }) },
    ...found,
    ...(isNowhere && { absent: new PathHistory(path, looked).absences(FEW_STATES) }),
  };
}

export function momentOf({ id, from, to }: Pick<Snapshot, 'id' | 'from' | 'to'>): SnapshotMoment {
  return { id, from, to };
}

/** What the rules leave out but for patterns is not known to have been absent either; sockets are in no snapshot. */
export function coverageOf({ engine }: Pick<Snapshot, 'engine'>): Coverage {
  const { roots, rules, unseen, leftOut } = engine as unknown as FilesDetails;
  const out = leftOut.first.filter(({ why }) => why !== 'socket');
  const first = [...unseen.first, ...out].map(({ path }) => path);
  const unnamed = unseen.count - unseen.first.length + (leftOut.count - leftOut.first.length);
  return new Coverage({ roots, rules, unseen: { count: first.length + unnamed, first } });
}

interface WantedNames {
  /** The one that is wanted, as a tree has it; absent of a pattern. */
  readonly path?: string;
  readonly takes: (entry: Pick<TreeEntry, 'path' | 'type'>) => boolean;
  /** Of all that were found. */
  readonly isMeant: (path: string, isFound: (path: string) => boolean) => boolean;
}

/** A path by itself, or what a pattern matches, which may also be a path as it is. Throws `USAGE`. */
function wantedNames(wanted: string): WantedNames {
  const isPattern = !wanted.startsWith('/') || PATTERN.test(wanted);
  const exact = wanted.startsWith('/') ? treePath(wanted) : undefined;
  const read = exact === undefined ? undefined : otherReading(exact);
  const selector = isPattern ? new Selector({ patterns: [wanted] }) : undefined;
  return {
    ...(!isPattern && exact !== undefined && { path: exact }),
    takes: (entry) => entry.path === exact || entry.path === read || selector?.takes(entry) === true,
    isMeant: (path, isFound) => path !== read || exact === undefined || !isFound(exact),
  };
}

/** The first that match, without their chunks; whatever has several names as what it is. */
async function matching(
  vault: FindFilesOptions['vault'],
  { id, copies }: SnapshotOnCopies,
  takes: WantedNames['takes'],
  signal: AbortSignal,
): Promise<readonly WholeEntry[]> {
  const present = Object.keys(copies).find((copy) => copies[copy] === 'present');
  const reader = await vault.openSnapshot(id as SnapshotId, present);
  try {
    const found: TreeEntry[] = [];
    for await (const batch of reader.entryBatches()) {
      if (signal.aborted) fail('CANCELLED', 'finding files was cancelled');
      for (const entry of batch) {
        // One more than is answered tells that there are more.
        if (found.length <= MOST_PATHS && takes(entry)) found.push(withoutChunks(entry));
      }
    }
    const leaders = new Map(found.map((entry) => [entry.path, entry]));
    const needed = new Set(
      found.flatMap(({ type, linkTarget = '' }) =>
        type === 'hardlink' && !leaders.has(linkTarget) ? [linkTarget] : [],
      ),
    );
    if (needed.size > 0) {
      for await (const entry of reader.entries())
        if (needed.has(entry.path)) leaders.set(entry.path, withoutChunks(entry));
    }
    return found.map((entry) => {
      const leader = entry.type === 'hardlink' ? leaders.get(entry.linkTarget ?? '') : undefined;
      return leader ? { ...leader, path: entry.path, sameAs: leader.path } : entry;
    });
  } finally {
    reader.close();
  }
}

/**
 * Those with the smallest keys of all that were seen. What once fell out never comes back, because the largest key that is kept only gets smaller: so
 * a path that is kept has been kept since the first snapshot that has it.
 */
class FirstPaths {
  readonly #histories = new Map<string, PathHistory>();
  #hasMore = false;

  note(one: Looked, before: readonly Looked[], entries: readonly WholeEntry[]): void {
    const seen = new Map(entries.map((entry) => [entry.path, entry]));
    for (const path of seen.keys()) {
      if (!this.#histories.has(path)) this.#histories.set(path, new PathHistory(path, before));
    }
    const kept = [...this.#histories.keys()].sort((a, b) => (walkKey(a) < walkKey(b) ? -1 : 1));
    for (const path of kept.slice(MOST_PATHS)) {
      this.#hasMore = true;
      this.#histories.delete(path);
    }
    for (const [path, history] of this.#histories) history.add(one, seen.get(path));
  }

  answer(
    newest: string | undefined,
    isMeant: WantedNames['isMeant'],
  ): { readonly paths: readonly FoundPath[]; readonly hasMore: boolean } {
    const isFound = (path: string) => this.#histories.has(path);
    const meant = [...this.#histories].filter(([path]) => isMeant(path, isFound));
    const sorted = meant.sort(([a], [b]) => (walkKey(a) < walkKey(b) ? -1 : 1));
    const most = Math.max(FEW_STATES, Math.floor(MOST_STATES / Math.max(1, sorted.length)));
    return { paths: sorted.map(([, history]) => history.answer(newest, most)), hasMore: this.#hasMore };
  }
}
