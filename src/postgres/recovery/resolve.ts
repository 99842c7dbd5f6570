// Resolves a target against the log itself, before anything is touched: base, numeric timeline, last record, frozen segments.

import type { ComponentId } from '../../domain/component.ts';
import { compareLsn, type Lsn, lsnFrom, lsnValue, segmentName } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { isOnPath } from '../../domain/timeline.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { copyAway, insteadOf } from '../../vault/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import type { PhysicalDetails, PlannedSegment, RequestedTarget, ResolvedTarget } from '../types.ts';
import { type Branch, makeBranch, momentBefore, physicalDetails, timelineAt } from './branch.ts';
import { type Found, findTarget } from './find-target.ts';
import { type HeaderCache, type LogArchive, readLogArchive, whileLogMoves } from './log-archive.ts';
import { proveRecord } from './log-walk.ts';
import { lastTransactionBefore, neighbours } from './neighbours.ts';
import { mainHistory, usableSnapshots } from './windows.ts';

export interface ResolveRequest {
  readonly vault: Vault;
  readonly component: ComponentId;
  readonly target: RequestedTarget;
  /** Stop just before the target instead of just after it; as `recovery_target_inclusive = off`. Default false. */
  readonly exclusive?: boolean;
  readonly timeline?: number;
  /** Default: the system of the newest base backup. */
  readonly systemId?: string;
  /** Copies to ask, best first; default: as configured. */
  readonly copies?: readonly string[];
  readonly headers?: HeaderCache;
}

export interface Resolution {
  readonly snapshot: SnapshotOnCopies;
  readonly details: PhysicalDetails;
  readonly copy: string;
  readonly resolved: ResolvedTarget;
  readonly segments: readonly PlannedSegment[];
  readonly histories: readonly number[];
  /** Log between the start of the first and the end of the last segment's needed part. */
  readonly logBytes: number;
  /** Set when the target lies in log that the cluster left: no part of the way to the timeline that it was seen on last. */
  readonly leftBehind?: { readonly timeline: number; readonly now: number; readonly leftAt?: Lsn };
  /** Copies that could not be asked, or that do not lead to the target, with the reason. */
  readonly passedOver: readonly { readonly copy: string; readonly code: string; readonly message: string }[];
}

/**
 * Throws `TARGET_OUTSIDE` (details: windows, holes, nearest moments), `TARGET_AMBIGUOUS`, `NO_SNAPSHOT`, and what the stores
 * throw when no copy can be read.
 */
export async function resolveTarget(request: ResolveRequest): Promise<Resolution> {
  const { vault, component } = request;
  const snapshots = await usableSnapshots(vault, component, request.systemId);
  const first = snapshots[0];
  if (first === undefined) {
    const whose = request.systemId === undefined ? '' : ` of system ${request.systemId}`;
    fail('NO_SNAPSHOT', `there is no clean base backup of '${component}'${whose}`);
  }
  const names = request.copies ?? vault.copies.map(({ name }) => name);
  const results: Resolution[] = [];
  const errors: { copy: string; error: HoldfastError }[] = [];
  for (const copy of names) {
    // The end of the log differs from copy to copy, so `latest` asks them all; any other target is the same wherever it is found.
    if (results.length > 0 && request.target.type !== 'latest') break;
    try {
      results.push(await whileLogMoves(() => resolveOnCopy(request, snapshots, copy)));
    } catch (error) {
      if (isHoldfastError(error, 'TARGET_AMBIGUOUS')) throw error;
      errors.push({ copy, error: toHoldfastError(error) });
    }
  }
  const [best] = results.sort((a, b) => compareLsn(b.resolved.endLsn, a.resolved.endLsn));
  if (best === undefined) throw worst(errors);
  const passedOver = errors.map(({ copy, error: { code, message } }) => ({ copy, code, message }));
  return { ...best, passedOver };
}

/** A copy that says where the target lies tells more than one that cannot be read; of several, the first one's word. */
function worst(errors: readonly { error: HoldfastError }[]): HoldfastError {
  const found = errors.find(({ error }) => error.code === 'TARGET_OUTSIDE') ?? errors[0];
  return found?.error ?? new HoldfastError('NO_SNAPSHOT', 'there is no copy to recover from');
}

async function resolveOnCopy(
  request: ResolveRequest,
  snapshots: readonly SnapshotOnCopies[],
  copy: string,
): Promise<Resolution> {
  const here = snapshots.filter(({ copies }) => copies[copy] === 'present');
  const first = here[0];
  if (first === undefined) throw await withoutBase(request, snapshots, copy);
  const { systemId, segmentSizeBytes } = physicalDetails(first);
  const log = request.vault.log(request.component, systemId, copy);
  const archive = await readLogArchive(log, systemId, segmentSizeBytes, request.headers);
  const { branch, found } = await chooseBranch(request, archive, here);
  return freeze(branch, found);
}

/** A copy that is away may have one: only one that answers lacks it. */
async function withoutBase(
  { vault, component }: ResolveRequest,
  snapshots: readonly SnapshotOnCopies[],
  copy: string,
): Promise<HoldfastError> {
  const having = vault.copies.filter(({ name }) => snapshots.some(({ copies }) => copies[name] === 'present'));
  const others = having.map(({ name }) => name);
  const newest = snapshots[0] as SnapshotOnCopies;
  if (newest.copies[copy] === 'away') return copyAway(vault, copy, others);
  const wrong = await vault.requireCopy(component, newest.id, copy).then(() => undefined, toHoldfastError);
  // One that it shows and cannot give is not one that it lacks.
  const why = wrong === undefined || wrong.code === 'OBJECT_MISSING' ? '' : ` that can be read: ${wrong.message}`;
  const message = `copy '${copy}' has no clean base backup of '${component}'${why}`;
  return new HoldfastError('NO_SNAPSHOT', message, { hint: insteadOf(others) });
}

interface OnBranch {
  readonly branch: Branch;
  readonly found: Found;
}

/** The branch that has the target: the one named, the newest for `latest` and `immediate`, else the only one that has it. */
async function chooseBranch(
  { target, exclusive = false, timeline }: ResolveRequest,
  archive: LogArchive,
  snapshots: readonly SnapshotOnCopies[],
): Promise<OnBranch> {
  const only = (history: ReturnType<typeof mainHistory>) => makeBranch(archive, history, snapshots);
  if (timeline !== undefined || target.type === 'latest' || target.type === 'immediate') {
    const history = timeline === undefined ? mainHistory(archive) : archive.timelines.get(timeline);
    if (history === undefined) unknownTimeline(archive, timeline);
    const branch = only(history);
    return { branch, found: await findTarget(branch, target, exclusive) };
  }
  const main = only(mainHistory(archive));
  const others = [...archive.timelines.values()].filter((history) => history.timeline !== main.history.timeline);
  const candidates: OnBranch[] = [];
  let refusal: unknown;
  for (const branch of [main, ...others.map(only)]) {
    try {
      candidates.push({ branch, found: await findTarget(branch, target, exclusive) });
    } catch (error) {
      if (!isHoldfastError(error, 'TARGET_OUTSIDE')) throw error;
      refusal ??= error;
    }
  }
  const distinct = await distinctResults(candidates);
  const [one, another] = distinct;
  if (one === undefined) throw refusal;
  if (another !== undefined) ambiguous(distinct);
  return one;
}

function unknownTimeline(archive: LogArchive, timeline: number | undefined): never {
  const known = [...archive.timelines.keys()].sort((a, b) => a - b);
  return fail('TARGET_OUTSIDE', `timeline ${timeline} is not in the log on copy '${archive.copy}'`, {
    hint: `known timelines: ${known.join(', ')}`,
    details: { timelines: known },
  });
}

/** Ways that share the record found are the same answer; a moment between two timelines belongs to the one that was alive then. */
async function distinctResults(candidates: readonly OnBranch[]): Promise<OnBranch[]> {
  const byRecord = new Map<string, OnBranch>();
  for (const it of candidates) {
    const key = `${timelineAt(it.branch, it.found.record.lsn)} ${it.found.record.endLsn}`;
    if (!byRecord.has(key)) byRecord.set(key, it);
  }
  const distinct = [...byRecord.values()];
  if (distinct.length < 2) return distinct;
  const alive: OnBranch[] = [];
  for (const it of distinct) if (!(await liesBetweenTimelines(it))) alive.push(it);
  return alive.length > 0 ? alive : distinct;
}

/** True when the moment is after the branch left one timeline and before anything is known to have happened on the next. */
async function liesBetweenTimelines({ branch, found }: OnBranch): Promise<boolean> {
  if (found.moment === undefined) return false;
  const { moment } = found;
  const { lastTransaction, firstLeftOut } = await neighbours(branch, found);
  // A timeline without a transaction yet begins with the records of its promotion.
  const next = timelineAt(branch, (firstLeftOut ?? found.record).lsn);
  if (lastTransaction === undefined || timelineAt(branch, lastTransaction.lsn) === next) return false;
  return !branch.marks.some((mark) => mark.timeline === next && mark.time <= moment);
}

function ambiguous(distinct: readonly OnBranch[]): never {
  const timelines = distinct.map(({ branch, found }) => ({
    timeline: timelineAt(branch, found.record.lsn),
    endLsn: found.record.endLsn,
  }));
  const words = timelines.map(({ timeline }) => `\`--timeline ${timeline}\``).join(' or ');
  return fail('TARGET_AMBIGUOUS', `the target exists on ${timelines.length} timelines`, {
    hint: `name one: ${words}`,
    details: { timelines },
  });
}

// ── The frozen answer ────────────────────────────────────────────────────────────────────────────────────────────────

async function freeze(branch: Branch, found: Found): Promise<Resolution> {
  const { base, record } = found;
  const { archive } = branch;
  await proveRecord(archive, branch.history, record);
  const timeline = timelineAt(branch, record.lsn);
  const { lastTransaction, firstLeftOut } = await neighbours(branch, found);
  const reported =
    lastTransaction?.lsn === record.lsn ? await lastTransactionBefore(branch, found, record.lsn) : lastTransaction;
  const moment = found.moment ?? momentOf(branch, found, lastTransaction?.time);
  const segments = plannedSegments(branch, base.floor, record.endLsn, timeline);
  return {
    snapshot: base.snapshot,
    details: base.details,
    copy: archive.copy,
    resolved: {
      timeline,
      lastRecordLsn: record.lsn,
      endLsn: record.endLsn,
      ...(lastTransaction === undefined ? {} : { lastTransaction }),
      ...(reported === undefined ? {} : { reportedTime: reported.time }),
      ...(firstLeftOut === undefined ? {} : { firstLeftOut }),
      moment,
    },
    segments,
    histories: [...archive.histories].sort((a, b) => a - b),
    logBytes: Number(lsnValue(record.endLsn) - lsnValue(base.floor)),
    ...leftBehind(archive, timeline, record.endLsn),
    passedOver: [],
  };
}

function leftBehind(archive: LogArchive, timeline: number, endLsn: Lsn): Pick<Resolution, 'leftBehind'> {
  const main = mainHistory(archive);
  if (isOnPath(main, timeline, endLsn)) return {};
  const leftAt = main.ancestors.find((ancestor) => ancestor.timeline === timeline)?.switchLsn;
  return { leftBehind: { timeline, now: main.timeline, ...(leftAt === undefined ? {} : { leftAt }) } };
}

/** What the target does not say: the newest moment known not to lie behind the end. */
function momentOf(branch: Branch, { base, record }: Found, last: Moment | undefined): Moment {
  const known = [momentBefore(branch, record.endLsn, base.floor), last, base.snapshot.to];
  return known
    .filter((moment) => moment !== undefined)
    .sort()
    .at(-1) as Moment;
}

/** The segments as the recovering server will ask for them: where a timeline begins inside one, the younger timeline's file. */
function plannedSegments(branch: Branch, floor: Lsn, endLsn: Lsn, timeline: number): PlannedSegment[] {
  const { segmentSizeBytes } = branch.archive;
  const size = BigInt(segmentSizeBytes);
  const parts = branch.parts.slice(0, branch.parts.findIndex((part) => part.timeline === timeline) + 1);
  const segments: PlannedSegment[] = [];
  for (let segment = lsnValue(floor) / size; segment * size < lsnValue(endLsn); segment += 1n) {
    const part = parts.findLast(({ from }) => from / size <= segment);
    const own = part?.timeline ?? timeline;
    const end = (segment + 1n) * size;
    segments.push({
      name: segmentName(own, segment, segmentSizeBytes),
      timeline: own,
      fromLsn: lsnFrom(segment * size),
      toLsn: end < lsnValue(endLsn) ? lsnFrom(end) : endLsn,
    });
  }
  return segments;
}
