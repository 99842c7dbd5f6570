// What is true of one component now, by the vault alone: its window, its copies, its proof, what would be lost, and what is not as promised.

import type { Configuration, DatabaseSettings } from '../../config/index.ts';
import type {
  CommitsWait,
  ComponentCopy,
  ComponentStatus,
  Finding,
  LogReception,
  WindowSummary,
} from '../domain/component-report.ts';
import type { HeadsReport } from '../domain/copies-report.ts';
import {
  type CopyVerified,
  isBad,
  judgeVerified,
  repairHint,
  VERIFIED_WITHIN_DAYS,
  verifiedWords,
} from '../domain/copy-verified.ts';
import { type Disaster, disastersOf } from '../domain/disasters.ts';
import { describeSeconds, writeDuration } from '../domain/duration.ts';
import { lsnDistance } from '../domain/lsn.ts';
import { type Moment, momentFromDate, secondsBetween, shortMoment } from '../domain/moment.ts';
import type { RunStatus } from '../domain/operations.ts';
import { headFindings } from '../domain/put-back-words.ts';
import { addSeconds } from '../domain/retention.ts';
import type { RestoreResult } from '../domain/run-data.ts';
import { judgeSlot } from '../domain/slot-pressure.ts';
import { type ProofLevel, proofLevels } from '../domain/states.ts';
import { fromErrorData } from '../errors/index.ts';
import type { RecoveryWindow } from '../postgres/types.ts';
import { type CopyCondition, type Looks, type SnapshotOnCopies, standingProofs } from '../vault/index.ts';
import { notKnownFinding, type RestoresLeft, restoreFinding } from './open-restores.ts';
import { snapshotFindings } from './snapshot-findings.ts';
import { summarizeSnapshot } from './snapshot-summary.ts';

/** What was read of one component; `history` newest first. */
export interface ComponentFacts {
  readonly configuration: Configuration;
  readonly database: DatabaseSettings;
  /** Newest first. */
  readonly snapshots: readonly SnapshotOnCopies[];
  readonly windows: readonly RecoveryWindow[];
  readonly conditions: readonly CopyCondition[];
  readonly history: readonly RunStatus[];
  /** What verifications showed. */
  readonly looks: Looks;
  readonly now: Date;
}

/** Cursors of copies that keep up are seconds apart: a copy is behind when the difference is more than that. */
const KEEPS_UP_SECONDS = 60;

export function componentStatus(facts: ComponentFacts): ComponentStatus {
  const { database, snapshots } = facts;
  const best = newest(facts.windows);
  const disasters = disastersOf(questionOf(facts));
  const copies = facts.conditions.map((condition) => copyState(facts, condition, best));
  const nowSeconds = disasters.find(({ kind }) => kind === 'host')?.nowSeconds;
  const proven = provenBy(facts);
  const [lastSnapshot] = snapshots;
  const { rpoSeconds } = database.objective;
  const findings = [
    ...snapshotFindings(facts),
    ...windowFindings(facts, best),
    ...rpoFindings(facts, nowSeconds),
    ...disasters.flatMap((disaster) => disasterFindings(facts, disaster)),
    ...copyFindings(facts, copies),
    ...verifiedFindings(facts, copies),
  ];
  return {
    component: database.id,
    host: database.host,
    state: findings.some(({ severity }) => severity === 'late') ? 'late' : 'ok',
    ...(best === undefined ? {} : { window: summarizeWindow(best) }),
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

/** A store that stumbles for a moment is no alarm. */
const STALLED_SECONDS = 10;

function commitFindings({ state, stalledSeconds }: CommitsWait): Finding[] {
  if (state !== 'sync' && state !== 'quorum') {
    const seen = state === 'unknown' ? 'nobody reads the slot now' : `the server takes the receiver for '${state}'`;
    return [
      late(
        `commits do not wait for the copies as \`log.synchronous\` asks: ${seen}`,
        '`holdfast check` names the statement that is missing',
      ),
    ];
  }
  if (stalledSeconds < STALLED_SECONDS) return [];
  return [
    late(
      `commits have been waiting for the copies for ${describeSeconds(stalledSeconds)}`,
      'see `holdfast copies`; to let commits pass without them: ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf();',
    ),
  ];
}

/** What is not received now will be missing soon, and what the slot keeps is paid by the server, whatever the vault still says: first of the findings. */
export function withReception(status: ComponentStatus, { outage, slot, commits }: LogReception): ComponentStatus {
  const verdict = slot && judgeSlot(slot);
  const findings = [
    ...(outage ? [late(`the log is not received since ${outage.since}: ${outage.message}`, outage.hint)] : []),
    ...(verdict ? [verdict] : []),
    ...(commits ? commitFindings(commits) : []),
  ];
  const isLate = findings.some(({ severity }) => severity === 'late');
  const state = isLate && status.state !== 'unknown' ? 'late' : status.state;
  return {
    ...status,
    state,
    ...(slot && { slot }),
    ...(commits && { commits }),
    findings: [...findings, ...status.findings],
  };
}

/** What was found is told beside what could not be looked for; a list that is empty says that there is nothing. */
export function withRestores(status: ComponentStatus, { found, notKnown }: RestoresLeft): ComponentStatus {
  const findings = [...found.map(restoreFinding), ...notKnown.map(notKnownFinding)];
  const isLate = findings.some(({ severity }) => severity === 'late');
  const isUnknown = notKnown.some(({ of }) => of === 'data');
  const state = isUnknown ? 'unknown' : isLate && status.state === 'ok' ? 'late' : status.state;
  return {
    ...{ ...status, state },
    ...(found.length === 0 && notKnown.length > 0 ? {} : { restores: found }),
    ...(notKnown.length === 0
      ? {}
      : { restoresUnknown: notKnown.map(({ what, error }) => `${what}: ${error.message}`) }),
    findings: [...findings, ...status.findings],
  };
}

/** A copy that was put back, and numbers that occur twice; `undefined`: no copy could be asked, which is a finding already. */
export function withHeads(status: ComponentStatus, heads: HeadsReport | undefined): ComponentStatus {
  if (heads === undefined) return status;
  const isOwn = ({ component }: { component: string }) => component === status.component;
  const findings = headFindings({ putBack: heads.putBack.filter(isOwn), forks: heads.forks.filter(isOwn) });
  const isLate = findings.some(({ severity }) => severity === 'late');
  const state = isLate && status.state === 'ok' ? 'late' : status.state;
  return { ...status, state, findings: [...findings, ...status.findings] };
}

export function summarizeWindow({ from, to, fromLsn, toLsn, timeline, holes }: RecoveryWindow): WindowSummary {
  return { from, to, fromLsn, toLsn, timeline, holes };
}

function newest(windows: readonly RecoveryWindow[]): RecoveryWindow | undefined {
  return windows.reduce<RecoveryWindow | undefined>(
    (best, window) => (best === undefined || window.to > best.to ? window : best),
    undefined,
  );
}

function questionOf({ configuration, database, windows, now }: ComponentFacts) {
  const site = configuration.hosts[database.host]?.site ?? '';
  const account = configuration.sites[site]?.account;
  const copies = Object.entries(configuration.vault.copies).map(([copy, settings]) => {
    const to = windows.find((window) => window.copy === copy)?.to;
    return {
      copy,
      site: settings.site,
      isDirectory: settings.file !== undefined,
      ...(settings.account === undefined ? {} : { account: settings.account }),
      ...(to === undefined ? {} : { to }),
    };
  });
  return { host: database.host, site, ...(account === undefined ? {} : { account }), copies, now: momentFromDate(now) };
}

function copyState(facts: ComponentFacts, condition: CopyCondition, best: RecoveryWindow | undefined): ComponentCopy {
  const copy = condition.name;
  if (condition.state === 'away') return { copy, state: 'away', error: fromErrorData(condition.error).toJSON() };
  const window = facts.windows.find((one) => one.copy === copy);
  const snapshotsBehind = facts.snapshots.filter((snapshot) => snapshot.copies[copy] === 'absent').length;
  const unasked = facts.snapshots.some((snapshot) => snapshot.copies[copy] === 'away');
  const behindSeconds = window && best ? secondsBetween(window.to, best.to) : 0;
  const sameLine = window !== undefined && best?.timeline === window.timeline;
  const logBehindBytes = sameLine && best ? Math.max(0, lsnDistance(window.toLsn, best.toLsn)) : undefined;
  const behind =
    snapshotsBehind > 0 || behindSeconds > KEEPS_UP_SECONDS || (best !== undefined && window === undefined);
  return {
    copy,
    state: unasked ? 'unknown' : behind ? 'behind' : 'complete',
    snapshotsBehind,
    ...(logBehindBytes === undefined ? {} : { logBehindBytes }),
    ...(window === undefined ? {} : { logBehindSeconds: Math.max(0, behindSeconds) }),
    ...(window === undefined ? {} : { window: summarizeWindow(window) }),
    verified: verifiedOn(facts, copy),
  };
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
const capturing: ReadonlySet<string> = new Set(['backupDatabase', 'dumpDatabase']);

/** What a run that ended well showed of a snapshot. */
export function proofOf(run: RunStatus): NonNullable<ComponentStatus['proven']> | undefined {
  if (run.state !== 'completed' || run.endedAt === undefined) return undefined;
  const at = momentFromDate(new Date(run.endedAt));
  const data = (run.data ?? {}) as {
    snapshot?: { id: string };
    verified?: { level: ProofLevel; copies: Record<string, string> };
    restore?: RestoreResult;
    plan?: { base: { snapshot: string } };
  };
  if (run.operation === 'restoreDatabase' && data.restore && data.plan) {
    return { level: 'queried', at, snapshot: data.plan.base.snapshot };
  }
  if (!capturing.has(run.operation) || !data.verified || !data.snapshot) return undefined;
  const good = Object.values(data.verified.copies).includes('good');
  return good ? { level: data.verified.level, at, snapshot: data.snapshot.id } : undefined;
}

function late(message: string, hint: string): Finding {
  return { severity: 'late', message, hint };
}

/** Gaps in front of the continuous window are there because retention let go of what lay in them. */
function windowFindings({ database, now }: ComponentFacts, best: RecoveryWindow | undefined): Finding[] {
  const end = [momentFromDate(now), best?.to ?? momentFromDate(now)].sort()[0] as Moment;
  const windowFrom = database.keep && addSeconds(end, -database.keep.logSeconds);
  const holes = (best?.holes ?? []).filter(({ before }) => !(windowFrom && before && before <= windowFrom));
  return holes.map((hole) =>
    late(
      `the log has a hole from ${hole.fromLsn} to ${hole.toLsn} on timeline ${hole.timeline}${spanText(hole.after, hole.before)}`,
      'moments inside it cannot be recovered; a backup taken after it starts a new window',
    ),
  );
}

function spanText(after: Moment | undefined, before: Moment | undefined): string {
  if (after === undefined || before === undefined) return '';
  return `, between ${shortMoment(after)} and ${shortMoment(before)}`;
}

function rpoFindings({ configuration, database, windows }: ComponentFacts, nowSeconds: number | undefined): Finding[] {
  const hint = `is the worker on '${database.host}' running, and the database reachable? \`holdfast check ${database.id}\` asks`;
  if (nowSeconds === undefined) {
    if (windows.length === 0) return [];
    const lost = `no copy would survive the loss of host '${database.host}'`;
    const isElsewhere = Object.values(configuration.vault.copies).some(({ offsite }) => offsite);
    const away = '`holdfast copies` tells which copy elsewhere is away or behind, and why';
    return [late(lost, isElsewhere ? away : 'configure a copy at another site, or a bucket')];
  }
  const limit = rpoLimit(database);
  if (nowSeconds <= limit) return [];
  const lost = describeSeconds(Math.round(nowSeconds));
  return [late(`${lost} of changes would be lost now, more than ${writeDuration(limit)}`, hint)];
}

function rpoLimit({ objective, log }: DatabaseSettings): number {
  return Math.min(objective.rpoSeconds ?? Number.POSITIVE_INFINITY, log.withinSeconds);
}

/** The host's own is `rpoFindings`. What follows from where the copies are is advice; what lags is a warning. */
function disasterFindings({ database, windows }: ComponentFacts, disaster: Disaster): Finding[] {
  const { kind, lost, survivors, nowSeconds } = disaster;
  if (kind === 'host' || windows.length === 0) return [];
  const of = `${kind} '${lost}'`;
  if (survivors.length === 0) {
    const what = disaster.database === 'lost' ? 'everything would be lost' : 'no copy would be left';
    const hint =
      kind === 'site'
        ? 'configure a copy at another site'
        : 'configure a copy in another account, or at another provider';
    return [{ severity: 'hint', message: `with the ${of} ${what}`, hint }];
  }
  if (disaster.database === 'survives') return [];
  const limit = Math.max(rpoLimit(database), KEEPS_UP_SECONDS);
  if (nowSeconds !== undefined && nowSeconds <= limit) return [];
  const says = survivors.length === 1 ? 'says' : 'say';
  const message =
    nowSeconds === undefined
      ? `with the ${of} everything may be lost: ${survivors.join(', ')} ${says} nothing of the log`
      : `with the ${of} ${describeSeconds(Math.round(nowSeconds))} of changes would be lost now, more than ${writeDuration(limit)}`;
  return [{ severity: 'warning', message, hint: `\`holdfast copies\` tells why ${survivors.join(', ')} lags` }];
}

function copyFindings({ configuration }: ComponentFacts, copies: readonly ComponentCopy[]): Finding[] {
  const { commit, copies: configured } = configuration.vault;
  const isWhole = ({ state, verified }: ComponentCopy) => state === 'complete' && !(verified && isBad(verified));
  const whole = copies.filter(isWhole).map(({ copy }) => copy);
  const offsite = whole.filter((copy) => configured[copy]?.offsite === true);
  if (whole.length < commit.copies || offsite.length < commit.offsite) {
    const policy = `${commit.copies} with ${commit.offsite} off-site`;
    return [
      late(
        `only ${whole.length} ${whole.length === 1 ? 'copy is' : 'copies are'} complete (${offsite.length} off-site), the policy asks for ${policy}`,
        'see `holdfast copies`',
      ),
    ];
  }
  return copies
    .filter(({ state }) => state !== 'complete')
    .map(({ copy, state }) => ({
      severity: 'warning' as const,
      message: `copy ${copy} is ${state}`,
      hint:
        state === 'behind'
          ? `it catches up by itself; \`holdfast copies catch-up ${copy}\` does it now`
          : 'see `holdfast copies`',
    }));
}

/** That nobody ever verified is said once, of all copies together, by the rule that they keep. */
function verifiedFindings({ configuration }: ComponentFacts, copies: readonly ComponentCopy[]): Finding[] {
  return copies.flatMap(({ copy, verified }) => {
    if (verified === undefined) return [];
    const isLate = verified.state === 'overdue' && configuration.verify !== undefined;
    if (!isLate && !isBad(verified)) return [];
    const hint = isLate
      ? 'see `holdfast schedules list`; `holdfast test integrity` does it now'
      : repairHint(copy, verified.level);
    return [{ severity: 'warning' as const, message: `copy ${copy}: ${verifiedWords(verified)}`, hint }];
  });
}
