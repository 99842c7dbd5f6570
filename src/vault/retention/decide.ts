// What of one component is not needed: pure rules over what was read, with the references between manifests, generations and log.

import { isNeededLog, type LogBase, neededLog, whyUnneeded, windowBases } from '../../domain/log-retention.ts';
import { type Moment, momentFromDate, unixMicros } from '../../domain/moment.ts';
import { type Judgement, judgeSnapshots, type SnapshotHold, type WindowVerdict } from '../../domain/retention.ts';
import type { ProofLevel } from '../../domain/states.ts';
import { logOf } from '../require-log.ts';
import type { ComponentFacts, GenerationFacts, LogObjectFacts, ManifestFacts, SystemLogFacts } from './facts.ts';
import type { Hold } from './holds.ts';
import type { ComponentPolicy, RetentionRequest } from './request.ts';

const DAY_MS = 86_400_000;
/** Behind a generation's length: a snapshot that began in its last second, and clocks. */
const CLOSED_AFTER_MS = DAY_MS;
/** A writer that is still at work in it stores something at least so often. */
export const QUIET_MS = 2 * DAY_MS;

export interface JudgedManifest {
  readonly id: string;
  readonly kind: string;
  readonly class: string;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  readonly proof?: ProofLevel;
  readonly manifest: ManifestFacts;
}

export interface JudgeParts {
  readonly facts: ComponentFacts;
  readonly policy: ComponentPolicy;
  readonly request: RetentionRequest;
  readonly holds: readonly Hold[];
  readonly now: Moment;
  /** How long a generation of this component can be joined. */
  readonly generationMs: number;
  readonly copies: readonly string[];
  /** Keys and paths whose deletion has begun: they may be gone at any moment, whoever is asked. */
  readonly begun: ReadonlySet<string>;
}

/** What is about to go keeps no other from being needed; it is itself judged as if it stayed, because as long as it is needed nothing deletes it. */
export function judgeManifests(parts: JudgeParts): readonly Judgement<JudgedManifest>[] {
  const all = judgeAll(parts);
  const { facts, begun } = parts;
  const staying = facts.manifests.filter(({ key }) => !begun.has(key));
  if (staying.length === facts.manifests.length) return all;
  const others = judgeAll({ ...parts, facts: { ...facts, manifests: staying } });
  const byKey = new Map(others.map((each) => [each.snapshot.manifest.key, each]));
  return all.map((each) => byKey.get(each.snapshot.manifest.key) ?? each);
}

function judgeAll(parts: JudgeParts): readonly Judgement<JudgedManifest>[] {
  const { facts, policy, request, now } = parts;
  const snapshots = facts.manifests.map((manifest): JudgedManifest => {
    const { id, kind, class: name, to, state } = manifest.header;
    const proof = request.proofs[id];
    return { id, kind, class: name, to, state, manifest, ...(proof === undefined ? {} : { proof }) };
  });
  const { timezone } = request;
  const [holds, logWindow] = [holdsOn(parts), windowVerdicts(parts)];
  return judgeSnapshots(snapshots, { rules: policy.rules, holds, logWindow, timezone, now });
}

/** Also of snapshots that a tombstone names: what the window needs is released. */
function windowVerdicts({ facts, policy, copies, now }: JudgeParts): ReadonlyMap<string, WindowVerdict> {
  const windowSeconds = policy.logWindowSeconds;
  if (windowSeconds === undefined) return new Map();
  return new Map(
    facts.logs.flatMap((log) => {
      const { segmentSizeBytes, timelines } = log;
      const bases = facts.manifests.flatMap((manifest) => baseOf(manifest, log, copies) ?? []);
      const verdicts = windowBases({ bases, timelines, segmentSizeBytes, windowSeconds, now });
      return [...verdicts].map(([{ id }, verdict]) => [id, verdict] as const);
    }),
  );
}

function holdsOn({ facts, holds, request }: JudgeParts): SnapshotHold[] {
  return [
    ...holds.filter(({ component }) => component === facts.component),
    ...request.passing.filter(({ component }) => component === facts.component),
  ];
}

/** The hold that covers everything of the component now. */
export function wholeHold(parts: JudgeParts): SnapshotHold | undefined {
  return holdsOn(parts).find(
    ({ snapshot, until }) => snapshot === undefined && (until === undefined || until > parts.now),
  );
}

/** Whether nothing can join it and nobody works in it: old enough, quiet, and not the newest of its class. */
export function isClosed({ facts, generationMs, now }: JudgeParts, generation: GenerationFacts): boolean {
  const nowMs = Number(unixMicros(now) / 1000n);
  const isNewest = !facts.generations.some(
    (other) => other.class === generation.class && other.startMs > generation.startMs,
  );
  const quietSince = Math.max(
    ...[...generation.onCopies.values()].map(({ newestStoredAt }) => newestStoredAt.getTime()),
  );
  return !isNewest && nowMs - generation.startMs > generationMs + CLOSED_AFTER_MS && nowMs - quietSince > QUIET_MS;
}

/** Closed generations of which every manifest on any copy is among `going`. */
export function freeGenerations(parts: JudgeParts, going: ReadonlySet<string>): readonly GenerationFacts[] {
  const needed = new Set(
    parts.facts.manifests.filter(({ key }) => !going.has(key)).flatMap(({ generations }) => generations),
  );
  return parts.facts.generations.filter((each) => !needed.has(each.path) && isClosed(parts, each));
}

export interface LogDecision {
  readonly systemId: string;
  readonly windowFrom: Moment;
  readonly unneeded: readonly LogObjectFacts[];
  /** In words. */
  readonly why: (unneeded: LogObjectFacts) => string;
}

/** What of each cluster's log neither a manifest outside `going` nor the continuous window needs. Nothing, where anything is not known. */
export function decideLog(parts: JudgeParts, going: ReadonlySet<string>): readonly LogDecision[] {
  const { facts, policy, now } = parts;
  const windowSeconds = policy.logWindowSeconds;
  const staying = facts.manifests.filter(({ key, header }) => header.kind === 'physical' && !going.has(key));
  if (windowSeconds === undefined || staying.some(isWithoutLogFacts)) return [];
  return facts.logs.map((log) => {
    const { systemId, segmentSizeBytes, timelines } = log;
    const bases = staying.flatMap((manifest) => baseOf(manifest, log, parts.copies) ?? []);
    const question = { bases, timelines, segmentSizeBytes, windowSeconds, now };
    const { needed, windowFrom } = neededLog(question);
    const unneeded = log.objects.filter((object) => !isNeededLog(needed, object));
    return { systemId, windowFrom, unneeded, why: (object) => whyUnneeded(question, object) };
  });
}

/** Keys of the log that a window or a snapshot that is needed needs; all of it, where anything is not known or nothing may go. */
export function neededLogKeys(parts: JudgeParts): ReadonlySet<string> {
  const unneeded = judgeManifests(parts).filter(({ reasons }) => reasons.length === 0);
  const going = new Set(unneeded.map(({ snapshot }) => snapshot.manifest.key));
  const decisions = decideLog(parts, going);
  const free = new Set(decisions.flatMap((each) => each.unneeded.map(({ key }) => key)));
  const all = parts.facts.logs.flatMap(({ objects }) => objects.map(({ key }) => key));
  return new Set(all.filter((key) => !free.has(key)));
}

function isWithoutLogFacts({ header }: ManifestFacts): boolean {
  return logOf(header) === undefined;
}

function baseOf({ header, copies }: ManifestFacts, { systemId }: SystemLogFacts, all: readonly string[]) {
  const needs = logOf(header);
  if (needs?.systemId !== systemId) return undefined;
  const { timeline, startLsn, stopLsn } = needs;
  const everywhere = all.every((copy) => copies.includes(copy));
  const { id, to, state } = header;
  const base: LogBase & { readonly id: string } = { id, timeline, startLsn, stopLsn, to, everywhere, state };
  return base;
}

/** The real clock, or the one that was given. */
export function nowOf({ now }: RetentionRequest): Moment {
  return now === undefined ? momentFromDate(new Date()) : now();
}
