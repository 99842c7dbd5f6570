// What is true of one component now, by the vault alone: its window, its copies, its proof, what would be lost, and what is not as promised.

import type { ComponentSettings, Configuration } from '../../config/index.ts';
import type { ComponentCopy, ComponentStatus, WindowSummary } from '../domain/component-report.ts';
import { type CopyVerified, judgeVerified, VERIFIED_WITHIN_DAYS } from '../domain/copy-verified.ts';
import { disastersOf } from '../domain/disasters.ts';
import { lsnDistance } from '../domain/lsn.ts';
import { momentFromDate, secondsBetween } from '../domain/moment.ts';
import type { RunStatus } from '../domain/operations.ts';
import type { RedisRestored } from '../domain/redis-restore.ts';
import type { RestoreResult } from '../domain/run-data.ts';
import { type ProofLevel, proofLevels } from '../domain/states.ts';
import { fromErrorData } from '../errors/index.ts';
import type { RecoveryWindow } from '../postgres/types.ts';
import { type CopyCondition, type Looks, type SnapshotOnCopies, standingProofs } from '../vault/index.ts';
import { furthest, type Reach, reachOfLog, reachOfSnapshots } from './reach.ts';
import { snapshotFindings } from './snapshot-findings.ts';
import { summarizeSnapshot } from './snapshot-summary.ts';
import { copyFindings, disasterFindings, rpoFindings, verifiedFindings, windowFindings } from './status-findings.ts';

/** What was read of one component; `history` newest first. */
export interface ComponentFacts {
  readonly configuration: Configuration;
  readonly settings: ComponentSettings;
  /** Newest first. */
  readonly snapshots: readonly SnapshotOnCopies[];
  /** Of a component that has a log. */
  readonly windows: readonly RecoveryWindow[];
  readonly conditions: readonly CopyCondition[];
  readonly history: readonly RunStatus[];
  /** What verifications showed. */
  readonly looks: Looks;
  readonly now: Date;
}

/** Cursors of copies that keep up are seconds apart: a copy is behind when the difference is more than that. */
export const KEEPS_UP_SECONDS = 60;

export function componentStatus(facts: ComponentFacts): ComponentStatus {
  const { settings, snapshots } = facts;
  const reach = reachOf(facts);
  const best = furthest(reach);
  const disasters = disastersOf(questionOf(facts, reach));
  const copies = facts.conditions.map((condition) => copyState(facts, reach, condition, best));
  const nowSeconds = disasters.find(({ kind }) => kind === 'host')?.nowSeconds;
  const proven = provenBy(facts);
  const [lastSnapshot] = snapshots;
  const { rpoSeconds } = settings.objective;
  const findings = [
    ...snapshotFindings(facts),
    ...windowFindings(facts, best),
    ...rpoFindings(facts, reach, nowSeconds),
    ...disasters.flatMap((disaster) => disasterFindings(facts, reach, disaster)),
    ...copyFindings(facts, copies),
    ...verifiedFindings(facts, copies),
  ];
  return {
    component: settings.id,
    host: settings.host,
    state: findings.some(({ severity }) => severity === 'late') ? 'late' : 'ok',
    ...(best === undefined ? {} : { window: best }),
    copies,
    ...(lastSnapshot === undefined ? {} : { lastSnapshot: summarizeSnapshot(lastSnapshot) }),
    ...(proven === undefined ? {} : { proven }),
    rpo: {
      ...(nowSeconds === undefined ? {} : { nowSeconds }),
      ...(rpoSeconds === undefined ? {} : { objectiveSeconds: rpoSeconds }),
      disasters,
    },
    findings,
  };
}

function reachOf({ settings, windows, snapshots, configuration }: ComponentFacts): Reach[] {
  if (settings.kind === 'database') return reachOfLog(windows);
  return reachOfSnapshots(snapshots, Object.keys(configuration.vault.copies));
}

function questionOf({ configuration, settings, now }: ComponentFacts, reach: readonly Reach[]) {
  const site = configuration.hosts[settings.host]?.site ?? '';
  const account = configuration.sites[site]?.account;
  const copies = Object.entries(configuration.vault.copies).map(([copy, place]) => {
    const to = reach.find((each) => each.copy === copy)?.window.to;
    return {
      copy,
      site: place.site,
      isDirectory: place.file !== undefined,
      ...(place.account === undefined ? {} : { account: place.account }),
      ...(to === undefined ? {} : { to }),
    };
  });
  return { host: settings.host, site, ...(account === undefined ? {} : { account }), copies, now: momentFromDate(now) };
}

function copyState(
  facts: ComponentFacts,
  reach: readonly Reach[],
  condition: CopyCondition,
  best: WindowSummary | undefined,
): ComponentCopy {
  const copy = condition.name;
  if (condition.state === 'away') return { copy, state: 'away', error: fromErrorData(condition.error).toJSON() };
  const window = reach.find((one) => one.copy === copy)?.window;
  const snapshotsBehind = facts.snapshots.filter((snapshot) => snapshot.copies[copy] === 'absent').length;
  const unasked = facts.snapshots.some((snapshot) => snapshot.copies[copy] === 'away');
  const behindSeconds = window && best ? secondsBetween(window.to, best.to) : 0;
  const logBehindBytes = logBetween(window, best);
  const behind =
    snapshotsBehind > 0 || behindSeconds > KEEPS_UP_SECONDS || (best !== undefined && window === undefined);
  const hasLog = window?.toLsn !== undefined;
  return {
    copy,
    state: unasked ? 'unknown' : behind ? 'behind' : 'complete',
    snapshotsBehind,
    ...(logBehindBytes === undefined ? {} : { logBehindBytes }),
    ...(hasLog ? { logBehindSeconds: Math.max(0, behindSeconds) } : {}),
    ...(window === undefined ? {} : { window }),
    verified: verifiedOn(facts, copy),
  };
}

function logBetween(window: WindowSummary | undefined, best: WindowSummary | undefined): number | undefined {
  if (window?.toLsn === undefined || best?.toLsn === undefined || best.timeline !== window.timeline) return undefined;
  return Math.max(0, lsnDistance(window.toLsn, best.toLsn));
}

function verifiedOn({ configuration, snapshots, looks, now }: ComponentFacts, copy: string): CopyVerified {
  const withinDays = configuration.verify?.withinDays ?? VERIFIED_WITHIN_DAYS;
  return judgeVerified({ copy, snapshots, looks, withinDays, now: momentFromDate(now) });
}

/** The best that is known of any snapshot, the latest of several: a restore shows more than any verification. */
function provenBy({ history, looks }: ComponentFacts): ComponentStatus['proven'] {
  const shown = [
    ...history.flatMap((run) => proofOf(run) ?? []),
    ...Object.values(standingProofs(looks.snapshots)).map(({ level, at, snapshot }) => ({ level, at, snapshot })),
  ];
  const rank = ({ level }: { level: ProofLevel }) => proofLevels.indexOf(level);
  return shown.sort((a, b) => rank(b) - rank(a) || (a.at < b.at ? 1 : -1))[0];
}

/** Operations that take a snapshot and read it again. */
const capturing = /^(backup|dump)/;

/** What a run that ended well showed of a snapshot. */
export function proofOf(run: RunStatus): NonNullable<ComponentStatus['proven']> | undefined {
  if (run.state !== 'completed' || run.endedAt === undefined) return undefined;
  const at = momentFromDate(new Date(run.endedAt));
  const data = (run.data ?? {}) as {
    snapshot?: { id: string };
    verified?: { level: ProofLevel; copies: Record<string, string> };
    restore?: RestoreResult;
    plan?: { base: { snapshot: string } };
    redisRestored?: RedisRestored;
  };
  if (run.operation === 'restoreDatabase' && data.restore && data.plan) {
    return { level: 'queried', at, snapshot: data.plan.base.snapshot };
  }
  if (run.operation === 'restoreRedis' && data.redisRestored?.proof.hasCompared) {
    return { level: 'queried', at, snapshot: data.redisRestored.snapshot };
  }
  if (!capturing.test(run.operation) || !data.verified || !data.snapshot) return undefined;
  const good = Object.values(data.verified.copies).includes('good');
  return good ? { level: data.verified.level, at, snapshot: data.snapshot.id } : undefined;
}
