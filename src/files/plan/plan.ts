// What giving back files would do: the snapshot, the place, what changes there, the room it takes, and what is in the way.

import { createHash } from 'node:crypto';
import path from 'node:path';
import type { ComponentId } from '../../domain/component.ts';
import {
  type ChangeCounts,
  type ChangeKind,
  type ChosenSnapshot,
  changeKinds,
  type FilesPlan,
  type PlannedChange,
} from '../../domain/files-restore.ts';
import { shortMoment } from '../../domain/moment.ts';
import { namedPath, shownPath, shownTyped } from '../../domain/path-text.ts';
import { describeSnapshotTarget, type SnapshotTarget } from '../../domain/snapshot-target.ts';
import { HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { ChoosingVault, SnapshotId, SnapshotReader, Vault } from '../../vault/index.ts';
import { namesOf, planInPlace } from '../in-place/plan.ts';
import type { InPlacePlan } from '../in-place/types.ts';
import { type GivenBack, pushCommand } from '../pull/push-command.ts';
import { besideState } from '../restore/beside.ts';
import { meantIn, noneOf } from '../restore/meant-paths.ts';
import { isWithin, type Selection, Selector, treePath, wantedEntries } from '../restore/select.ts';
import type { RemoteHost } from '../rsync/remote.ts';
import type { ScanRules } from '../scan/rules.ts';
import type { FilesDetails } from '../types.ts';
import { chooseSnapshot } from './choose-snapshot.ts';
import { laterRoots } from './later-roots.ts';
import { Room } from './room.ts';

export interface PlanFilesOptions {
  readonly vault: ChoosingVault & Pick<Vault, 'openSnapshot'>;
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly target: SnapshotTarget;
  /** The copy that was asked for: no other is taken. */
  readonly from?: string;
  readonly selection: Selection;
  /** Absent: in place. */
  readonly directory?: string;
  /** Rules of now; in place only. */
  readonly rules: ScanRules;
  /** Roots of today that are there; in place only. */
  readonly rootsNow: () => Promise<readonly string[]>;
  /** The roots are another host's: nothing can be given back there in place. */
  readonly elsewhere?: RemoteHost;
  readonly signal: AbortSignal;
}

/** A list that travels through a history stays small; the run's own, beside the data, has all. */
const MOST_CHANGES = 500;
const MOST_TEXT = 128 * 1024;

/** Reads only. Throws as `chooseSnapshot`, `NOT_FOUND` when nothing in it is wanted. */
export async function planFiles(options: PlanFilesOptions): Promise<FilesPlan> {
  const { vault, component, target, from } = options;
  const snapshot = await chooseSnapshot(vault, component, target, { from, before: '--to ' });
  const reader = await vault.openSnapshot(snapshot.id as SnapshotId, snapshot.copy);
  try {
    const { selection, unmatched } = await meantIn(reader, options.selection);
    const wanted = await countWanted(reader, selection);
    const isHere = options.directory === undefined && options.elsewhere === undefined;
    const roots = isHere ? wanted.places : wanted.roots;
    const damage = snapshot.state === 'damaged' ? ['the snapshot lacks what could not be read when it was taken'] : [];
    const head = {
      run: options.run,
      component,
      host: options.host,
      requested: describeSnapshotTarget(target),
      snapshot,
      roots,
      entries: wanted.entries,
      ...(selection.paths?.length && { paths: selection.paths }),
      ...(selection.patterns?.length && { patterns: selection.patterns }),
    };
    const rest = await placed({ ...options, selection }, reader, { ...wanted, roots });
    const warnings = [...lateWords(snapshot, target), ...damage, ...unmatchedWords(unmatched), ...rest.warnings];
    const plan = { ...head, ...rest, warnings };
    return { ...plan, digest: digestOf(plan) };
  } finally {
    reader.close();
  }
}

/** Of the oldest snapshot, when nothing was complete by the moment. */
function lateWords({ from, to }: ChosenSnapshot, target: SnapshotTarget): string[] {
  if (target.type !== 'time' || to <= target.moment) return [];
  return [
    `no snapshot was complete by then: this one, the oldest, was begun at ${shortMoment(from)} and complete at ${shortMoment(to)}, and may hold what was written until that`,
  ];
}

function unmatchedWords(patterns: readonly string[]): string[] {
  return patterns.map((pattern) => `nothing in the snapshot matches '${shownTyped(pattern)}'`);
}

async function placed(options: PlanFilesOptions, reader: SnapshotReader, wanted: Wanted): Promise<Placed> {
  const { roots } = wanted;
  const { directory, elsewhere, run, selection } = options;
  if (directory === undefined)
    return elsewhere
      ? notThere(elsewhere, { directory: 'DIR', roots, selection })
      : await inPlace(options, reader, roots);
  const plan = await beside(run, directory, wanted);
  if (!elsewhere) return { ...plan, warnings: [...plan.warnings, ...insideWords(directory, reader)] };
  const push = `to bring it back to ${elsewhere.ssh}, look, then do it without --dry-run: ${pushCommand(elsewhere, { directory, roots, selection })}`;
  return { ...plan, warnings: [...plan.warnings, push] };
}

function insideWords(directory: string, { snapshot }: SnapshotReader): string[] {
  const { roots } = snapshot.engine as unknown as FilesDetails;
  const root = roots.find((each) => isWithin(treePath(directory), treePath(each)));
  if (root === undefined) return [];
  return [
    `'${shownTyped(directory)}' lies in '${shownPath(root)}', which is protected: the next snapshot has what is given back there too, and a restore in place takes it away`,
  ];
}

function notThere(remote: RemoteHost, given: GivenBack): Placed {
  const hint = `restore with \`--beside DIR\`, then look with this, and do it without --dry-run: ${pushCommand(remote, given)}`;
  const blocker = new HoldfastError('TARGET_UNFIT', `the roots are on '${remote.ssh}', which has no worker`, { hint });
  return { mode: 'in place', space: { neededBytes: 0, availableBytes: 0 }, warnings: [], ...blocked([blocker]) };
}

interface Wanted {
  readonly roots: readonly string[];
  /** The directories that these are, or that a root which is one file lies in. */
  readonly places: readonly string[];
  readonly entries: { files: number; others: number; bytes: number };
  /** Of `entries`, in files with holes. */
  readonly sparseBytes: number;
}

async function countWanted(reader: SnapshotReader, selection: Selection): Promise<Wanted> {
  const selector = new Selector(selection);
  const { roots } = reader.snapshot.engine as unknown as FilesDetails;
  const touched = new Map<string, string>();
  const entries = { files: 0, others: 0, bytes: 0 };
  let sparseBytes = 0;
  for await (const { path: at, type, sizeBytes, holes } of wantedEntries(reader, (entry) => selector.takes(entry))) {
    if (type === 'file') {
      entries.files++;
      entries.bytes += sizeBytes;
      if (holes) sparseBytes += sizeBytes;
    } else entries.others++;
    const root = roots.find((each) => isWithin(at, treePath(each)));
    if (root === undefined) continue;
    const isFile = type !== 'directory' && treePath(root) === at;
    touched.set(root, isFile ? path.posix.dirname(root) : root);
  }
  if (entries.files + entries.others === 0) {
    noneOf(reader.snapshot, [...(selection.paths ?? []), ...(selection.patterns ?? [])]);
  }
  const places = [...new Set(touched.values())];
  return { roots: roots.filter((root) => touched.has(root)), places, entries, sparseBytes };
}

type Placed = Pick<FilesPlan, 'mode' | 'space' | 'warnings'> &
  Partial<Pick<FilesPlan, 'directory' | 'changes' | 'kept' | 'blockers'>>;

async function beside(run: string, directory: string, { entries, sparseBytes }: Wanted): Promise<Placed> {
  const blockers: HoldfastError[] = [];
  const found = await besideState(directory);
  if (found.state === 'occupied') {
    blockers.push(
      new HoldfastError('TARGET_UNFIT', `'${directory}' is not empty`, {
        hint: 'name a directory that is empty or not there',
      }),
    );
  } else if (found.state === 'unfinished' && found.run !== run) {
    blockers.push(
      new HoldfastError('TARGET_UNFIT', `'${directory}' holds what ${found.run} has not finished`, {
        hint: `\`holdfast show ${found.run}\` tells whether it goes on; else remove the directory, or name another`,
      }),
    );
  }
  const room = new Room();
  await room.need(directory, entries.bytes - sparseBytes, sparseBytes);
  return {
    mode: 'beside',
    directory,
    space: room.space,
    warnings: room.warnings,
    ...blocked([...blockers, ...room.blockers]),
  };
}

async function inPlace(options: PlanFilesOptions, reader: SnapshotReader, roots: readonly string[]): Promise<Placed> {
  const { selection, rules, signal, run, rootsNow } = options;
  const counts: Record<ChangeKind, number> = { create: 0, replace: 0, remove: 0, settle: 0, compare: 0 };
  const first: PlannedChange[] = [];
  const blockers: HoldfastError[] = [];
  const warnings: string[] = [];
  let bytes = 0;
  const room = new Room();
  let text = 0;
  const all: InPlacePlan[] = [];
  blockers.push(...withoutPlace(reader, roots));
  for (const root of blockers.length > 0 ? [] : roots) {
    try {
      await room.need(root, 0);
      const planned = await planInPlace({ reader, root, rules, selection, run, signal });
      all.push(planned);
      for (const kind of changeKinds) counts[kind] += planned.counts[kind].entries;
      bytes += planned.counts.create.bytes + planned.counts.replace.bytes;
      await room.need(root, planned.space.neededBytes);
      warnings.push(...planned.warnings);
      for (const { kind, type, aspects, path: below } of planned.changes) {
        const at = below === '' ? root : path.posix.join(root, below);
        text += at.length;
        if (first.length < MOST_CHANGES && text < MOST_TEXT) first.push({ kind, ...namedPath(at), type, aspects });
      }
    } catch (error) {
      blockers.push(toHoldfastError(error));
    }
  }
  const later = await laterRoots(reader.snapshot, rootsNow, selection);
  return {
    ...{ mode: 'in place', changes: { counts, bytes, first }, space: room.space },
    ...(later.kept && { kept: later.kept }),
    warnings: [...removalWarnings(counts, roots), ...later.warnings, ...warnings],
    ...blocked([...blockers, ...nothingToDo(all, selection), ...room.blockers]),
  };
}

/** What was asked for by name and is left alone must not look like what was given back. */
function nothingToDo(plans: readonly InPlacePlan[], selection: Selection): HoldfastError[] {
  const left = plans.flatMap(({ leftAlone }) => leftAlone.first);
  if (new Selector(selection).isAll || left.length === 0 || plans.some(({ count }) => count > 0)) return [];
  const message = `nothing is to be done in place but for what today's rules leave out: ${namesOf(left)}`;
  return [new HoldfastError('TARGET_UNFIT', message, { hint: 'restore it beside: `--beside DIR`' })];
}

/** What is beside the files of a host has no place on it, and of all of a host's files none is made another by renames. */
function withoutPlace(reader: SnapshotReader, places: readonly string[]): HoldfastError[] {
  const { roots } = reader.snapshot.engine as unknown as FilesDetails;
  const hint = 'restore it beside: `--beside DIR`';
  if (places.length === 0)
    return [new HoldfastError('TARGET_UNFIT', 'nothing of it has a place on the host', { hint })];
  if (!places.includes('/') || roots.includes('/')) return [];
  return [new HoldfastError('TARGET_UNFIT', 'a file that lies in `/` itself is not restored in place', { hint })];
}

/** What is not in the snapshot goes: that is said, whatever the count. */
function removalWarnings({ remove }: ChangeCounts, roots: readonly string[]): string[] {
  if (remove === 0) return [];
  const names =
    remove === 1 ? '1 name that the snapshot does not have is' : `${remove} names that the snapshot does not have are`;
  return [`${names} taken away from ${roots.join(', ')}, and kept until \`confirm\``];
}

function blocked(blockers: readonly HoldfastError[]): Pick<FilesPlan, 'blockers'> {
  return blockers.length === 0 ? {} : { blockers: blockers.map((each) => each.toJSON()) };
}

/** What was decided, not what the disk happens to be: files go on changing while somebody reads the plan, and all that is taken away is kept. */
function digestOf(plan: Omit<FilesPlan, 'digest'>): string {
  const { component, host, mode, snapshot, roots, directory, paths, patterns } = plan;
  const decided = [component, host, mode, snapshot.id, roots, directory ?? null, paths ?? [], patterns ?? []];
  return createHash('sha256').update(JSON.stringify(decided)).digest('hex').slice(0, 16);
}
