// In what two states of a tree differ: two snapshots, or one and the disk, side by side in walk order.

import type { ComponentId } from '../../domain/component.ts';
import type { DiffFilesRequest, DiffKind, DiffSide, FileDifference, FilesDiff } from '../../domain/files-history.ts';
import { momentFromDate } from '../../domain/moment.ts';
import { namedPath, shownTyped } from '../../domain/path-text.ts';
import { shellWord } from '../../domain/shell-word.ts';
import { parseSnapshotTarget } from '../../domain/snapshot-target.ts';
import { fail } from '../../errors/index.ts';
import type { ChoosingVault, SnapshotId, SnapshotReader, Vault } from '../../vault/index.ts';
import type { Coverage } from '../compare/coverage.ts';
import { type Comparable, differingAspects } from '../compare/differences.ts';
import { sideBySide } from '../compare/side-by-side.ts';
import { wholeEntries } from '../compare/whole-links.ts';
import { coverageOf, momentOf } from '../find/find.ts';
import { Owners } from '../owners.ts';
import { chooseSnapshot } from '../plan/choose-snapshot.ts';
import { meantPaths, otherReading } from '../restore/meant-paths.ts';
import type { FilesDetails, FilesSource } from '../types.ts';
import { DiskSide, hashOnDisk, isOnWayOf, takerOfPaths, thereOnDisk } from './disk-side.ts';

export interface DiffFilesOptions extends DiffFilesRequest {
  readonly vault: ChoosingVault & Pick<Vault, 'openSnapshot'>;
  readonly host: string;
  readonly timezone: string;
  /** The disk, where it can be looked at; else the reason why not. */
  readonly disk: FilesSource | { readonly not: string };
  readonly signal: AbortSignal;
}

export const NOW = 'now';
/** An answer goes through a history. */
const MOST_DIFFERENCES = 500;
const MOST_TEXT = 128 * 1024;
const SNAPSHOT_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

/** Throws `USAGE`, `MOMENT_INVALID`, `TARGET_UNFIT` for a disk that is not here, `FILES_ROOT`, `CANCELLED` and as `chooseSnapshot` does. */
export async function diffFiles(options: DiffFilesOptions): Promise<FilesDiff> {
  const { component, one: asked, other: askedToo } = options;
  if (asked === NOW && askedToo === NOW) fail('USAGE', 'the disk differs in nothing from itself');
  const one = await openSide(options, asked);
  try {
    const other = await openSide(options, askedToo);
    try {
      const paths = options.paths?.length ? await pathsOf([one, other], options.paths, component) : [];
      const told = await compare(one, other, takerOfPaths(paths), options.signal);
      return { component, one: one.told, other: other.told, ...(paths.length > 0 && { paths }), ...told };
    } finally {
      other.close();
    }
  } finally {
    one.close();
  }
}

type Sided = Comparable & { readonly sameAs?: string };

type Takes = ReturnType<typeof takerOfPaths>;

interface Side {
  readonly told: DiffSide;
  readonly isDisk: boolean;
  /** Absolute. */
  readonly roots: readonly string[];
  entries(takes: Takes): AsyncIterable<Sided>;
  /** All there are, or of the disk those of `paths` that are there. */
  names(paths: readonly string[]): AsyncIterable<{ readonly path: string }>;
  /** Of the disk: known when its entries were taken. */
  coverage(): Coverage;
  close(): void;
}

async function openSide(options: DiffFilesOptions, asked: string): Promise<Side> {
  return asked === NOW ? diskSide(options) : await snapshotSide(options, asked);
}

function diskSide({ disk, host, component }: DiffFilesOptions): Side {
  if ('not' in disk) return fail('TARGET_UNFIT', `the disk of '${component}' cannot be looked at: ${disk.not}`);
  const side = new DiskSide(disk);
  return {
    told: { asked: NOW, disk: { host, at: momentFromDate(new Date()) } },
    isDisk: true,
    roots: disk.roots,
    entries: (takes) => side.entries(takes),
    names: (paths) => thereOnDisk(paths, disk.roots),
    coverage: () => side.coverage,
    close: () => undefined,
  };
}

async function snapshotSide({ vault, component, timezone }: DiffFilesOptions, asked: string): Promise<Side> {
  const target = parseSnapshotTarget(SNAPSHOT_ID.test(asked) ? `snapshot:${asked}` : asked, timezone);
  const chosen = await chooseSnapshot(vault, component, target);
  const reader: SnapshotReader = await vault.openSnapshot(chosen.id as SnapshotId, chosen.copy);
  if (reader.snapshot.kind !== 'files') {
    reader.close();
    fail('USAGE', `'${chosen.id}' is no snapshot of files`);
  }
  const coverage = coverageOf(reader.snapshot);
  return {
    told: { asked, snapshot: momentOf(reader.snapshot), state: chosen.state },
    isDisk: false,
    roots: (reader.snapshot.engine as unknown as FilesDetails).roots,
    entries: (takes) => wholeEntries(reader, takes),
    names: () => reader.entries(),
    coverage: () => coverage,
    close: () => reader.close(),
  };
}

/** Throws `NOT_FOUND` for one that is on neither side. */
async function pathsOf(
  sides: readonly Side[],
  typed: readonly string[],
  component: ComponentId,
): Promise<readonly string[]> {
  const { paths, missing } = await meantPaths(typed, namesOf(sides, typed));
  const [first] = missing;
  if (first === undefined) return paths;
  const [one, other] = sides.map(({ told }) => told.snapshot?.id ?? 'the disk');
  const roots = [...new Set(sides.flatMap((side) => side.roots))];
  const readings = [first, otherReading(first) ?? first];
  if (!readings.some((path) => isOnWayOf(path, roots))) {
    const named = roots.map((root) => `'${shownTyped(root)}'`).join(', ');
    const hint = `name a path in one of its roots: ${named}`;
    fail('NOT_FOUND', `'${shownTyped(first)}' is in no root of ${component}, of ${one} or of ${other}`, { hint });
  }
  return fail('NOT_FOUND', `neither ${one} nor ${other} has '${shownTyped(first)}'`, {
    hint: `\`holdfast files find ${shellWord(shownTyped(first))} ${component}\` tells in which snapshots it is`,
  });
}

async function* namesOf(sides: readonly Side[], paths: readonly string[]) {
  for (const side of sides) yield* side.names(paths);
}

async function compare(one: Side, other: Side, takes: Takes, signal: AbortSignal) {
  const tally = new Tally();
  const owners = new Owners();
  // Numbers of then may be other people's here.
  const asHere = async (entry: Sided, isOther: boolean): Promise<Sided> =>
    isOther ? { ...entry, ...(await owners.here(entry)) } : entry;
  for await (const { path, one: before, other: after } of sideBySide(one.entries(takes), other.entries(takes))) {
    if (signal.aborted) fail('CANCELLED', 'comparing files was cancelled');
    if (before && after) {
      const was = await asHere(before, other.isDisk && !one.isDisk);
      const is = await asHere(after, one.isDisk && !other.isDisk);
      tally.both(was, is, await aspectsOf(was, is, one.isDisk || other.isDisk, signal));
    } else if (before && other.coverage().whyAbsent(path) === 'absent') tally.removed(before);
    else if (after && one.coverage().whyAbsent(path) === 'absent') tally.created(after);
    else tally.notCompared++;
  }
  return { ...tally.told, warnings: warningsOf(one, other) };
}

/** Beside the disk content of one size is read, whatever its time; a file that cannot be read stays in doubt, which is told as content. */
async function aspectsOf(was: Sided, is: Sided, isDisk: boolean, signal: AbortSignal): Promise<string[]> {
  const aspects: string[] = [];
  for (const aspect of differingAspects(was, is)) {
    const isContent = aspect === 'content' || aspect === 'content?';
    if (!isContent) aspects.push(aspect);
    else if (!isDisk || !(await isSameOnDisk(was, is, signal))) aspects.push('content');
  }
  if (was.sameAs !== is.sameAs && !aspects.includes('type')) aspects.push('links');
  return aspects;
}

async function isSameOnDisk(was: Sided, is: Sided, signal: AbortSignal): Promise<boolean> {
  if (was.sizeBytes !== is.sizeBytes) return false;
  return (await hashOnDisk(is.path, signal)) === (was.sha256 ?? is.sha256);
}

function warningsOf(one: Side, other: Side): string[] {
  return [one, other].flatMap((side) => {
    const name = side.told.snapshot?.id ?? 'the disk';
    if (side.coverage().isVague) return [`so much of ${name} could not be read that nothing counts as missing there`];
    return side.told.state === 'damaged' ? [`${name} lacks what could not be read when it was taken`] : [];
  });
}

class Tally {
  readonly #counts: Record<DiffKind | 'same', number> = { created: 0, changed: 0, removed: 0, same: 0 };
  readonly #bytes = { created: 0, changedBefore: 0, changedAfter: 0, removed: 0 };
  readonly #first: FileDifference[] = [];
  #text = 0;
  notCompared = 0;

  both(was: Sided, is: Sided, aspects: readonly string[]): void {
    if (aspects.length === 0) {
      this.#counts.same++;
      return;
    }
    this.#bytes.changedBefore += bytesOf(was);
    this.#bytes.changedAfter += bytesOf(is);
    this.#note('changed', is, { aspects, ...sizes(was, is) });
  }

  created(is: Sided): void {
    this.#bytes.created += bytesOf(is);
    this.#note('created', is, { aspects: [], ...sizes(undefined, is) });
  }

  removed(was: Sided): void {
    this.#bytes.removed += bytesOf(was);
    this.#note('removed', was, { aspects: [], ...sizes(was, undefined) });
  }

  get told(): Pick<FilesDiff, 'counts' | 'bytes' | 'first' | 'notCompared'> {
    return { counts: this.#counts, bytes: this.#bytes, first: this.#first, notCompared: this.notCompared };
  }

  #note(kind: DiffKind, { path, type }: Sided, more: Omit<FileDifference, 'kind' | 'path' | 'shown' | 'type'>): void {
    this.#counts[kind]++;
    if (this.#first.length >= MOST_DIFFERENCES || this.#text >= MOST_TEXT) return;
    this.#text += path.length;
    this.#first.push({ kind, ...namedPath(`/${path}`), type, ...more });
  }
}

/** What has several names counts once. */
function bytesOf({ type, sizeBytes, sameAs }: Sided): number {
  return type === 'file' && sameAs === undefined ? sizeBytes : 0;
}

function sizes(was: Sided | undefined, is: Sided | undefined): Pick<FileDifference, 'bytesBefore' | 'bytesAfter'> {
  return {
    ...(was?.type === 'file' && { bytesBefore: was.sizeBytes }),
    ...(is?.type === 'file' && { bytesAfter: is.sizeBytes }),
  };
}
