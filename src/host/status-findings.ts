// What of a component is not as promised, by what the copies hold: holes, what would be lost with each disaster, copies that lag or were not verified.

import type { ComponentSettings } from '../../config/index.ts';
import type { ComponentCopy, Finding, WindowSummary } from '../domain/component-report.ts';
import { isBad, repairHint, verifiedWords } from '../domain/copy-verified.ts';
import type { Disaster } from '../domain/disasters.ts';
import { describeSeconds, writeDuration } from '../domain/duration.ts';
import { type Moment, momentFromDate, shortMoment } from '../domain/moment.ts';
import { addSeconds } from '../domain/retention.ts';
import { type ComponentFacts, KEEPS_UP_SECONDS } from './component-status.ts';
import type { Reach } from './reach.ts';
import { late } from './snapshot-findings.ts';

/** Gaps in front of the continuous window are there because retention let go of what lay in them. */
export function windowFindings({ settings, now }: ComponentFacts, best: WindowSummary | undefined): Finding[] {
  const end = [momentFromDate(now), best?.to ?? momentFromDate(now)].sort()[0] as Moment;
  const logSeconds = settings.keep?.logSeconds;
  const windowFrom = logSeconds === undefined ? undefined : addSeconds(end, -logSeconds);
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

/** `undefined`: no copy that would survive the host has anything. */
export function rpoFindings(facts: ComponentFacts, reach: readonly Reach[], nowSeconds: number | undefined): Finding[] {
  const { configuration, settings } = facts;
  if (nowSeconds === undefined) {
    if (reach.length === 0) return [];
    const lost = `no copy would survive the loss of host '${settings.host}'`;
    const isElsewhere = Object.values(configuration.vault.copies).some(({ offsite }) => offsite);
    const away = '`holdfast copies` tells which copy elsewhere is away or behind, and why';
    return [late(lost, isElsewhere ? away : 'configure a copy at another site, or a bucket')];
  }
  const limit = rpoLimit(settings);
  if (limit === undefined || nowSeconds <= limit) return [];
  const lost = describeSeconds(Math.round(nowSeconds));
  return [late(`${lost} of changes would be lost now, more than ${writeDuration(limit)}`, rpoHint(settings))];
}

function rpoHint({ id, kind, host }: ComponentSettings): string {
  return kind === 'database'
    ? `is the worker on '${host}' running, and the database reachable? \`holdfast check ${id}\` asks`
    : `is the worker on '${host}' running, and does the schedule take a snapshot often enough? \`holdfast schedules list\` tells`;
}

/** `undefined`: nothing was promised. */
function rpoLimit(settings: ComponentSettings): number | undefined {
  const { rpoSeconds } = settings.objective;
  if (settings.kind !== 'database') return rpoSeconds;
  return Math.min(rpoSeconds ?? Number.POSITIVE_INFINITY, settings.log.withinSeconds);
}

/** The host's own is `rpoFindings`. What follows from where the copies are is advice; what lags is a warning. */
export function disasterFindings({ settings }: ComponentFacts, reach: readonly Reach[], disaster: Disaster): Finding[] {
  const { kind, lost, survivors, nowSeconds } = disaster;
  if (kind === 'host' || reach.length === 0) return [];
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
  const promised = rpoLimit(settings);
  if (promised === undefined && nowSeconds !== undefined) return [];
  const limit = Math.max(promised ?? 0, KEEPS_UP_SECONDS);
  if (nowSeconds !== undefined && nowSeconds <= limit) return [];
  const says = survivors.length === 1 ? 'says' : 'say';
  const message =
    nowSeconds === undefined
      ? `with the ${of} everything may be lost: ${survivors.join(', ')} ${says} nothing of ${settings.kind === 'database' ? 'the log' : 'it'}`
      : `with the ${of} ${describeSeconds(Math.round(nowSeconds))} of changes would be lost now, more than ${writeDuration(limit)}`;
  return [{ severity: 'warning', message, hint: `\`holdfast copies\` tells why ${survivors.join(', ')} lags` }];
}

export function copyFindings({ configuration }: ComponentFacts, copies: readonly ComponentCopy[]): Finding[] {
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
export function verifiedFindings({ configuration }: ComponentFacts, copies: readonly ComponentCopy[]): Finding[] {
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
