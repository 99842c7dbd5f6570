// What is true of a component and not in the vault: what its receiver says, what restores have left, what this host remembers of the copies.

import type { CommitsWait, ComponentStatus, Finding, LogReception } from '../domain/component-report.ts';
import type { HeadsReport } from '../domain/copies-report.ts';
import { describeSeconds } from '../domain/duration.ts';
import { judgeIdleSlot } from '../domain/idle-slot.ts';
import { headFindings } from '../domain/put-back-words.ts';
import { judgeSlot } from '../domain/slot-pressure.ts';
import { notKnownFinding, type RestoresLeft, restoreFinding } from './open-restores.ts';
import { late } from './snapshot-findings.ts';

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
export function withReception(status: ComponentStatus, reception: LogReception): ComponentStatus {
  const { outage, slot, idle, commits } = reception;
  const verdict = slot && judgeSlot(slot);
  const findings = [
    ...(outage ? [late(`the log is not received since ${outage.since}: ${outage.message}`, outage.hint)] : []),
    ...(verdict ? [verdict] : []),
    ...(idle ?? []).flatMap((each) => judgeIdleSlot(each, slot) ?? []),
    ...(commits ? commitFindings(commits) : []),
  ];
  const isLate = findings.some(({ severity }) => severity === 'late');
  const state = isLate && status.state !== 'unknown' ? 'late' : status.state;
  return {
    ...status,
    state,
    ...(slot && { slot }),
    ...(idle && { idleSlots: idle }),
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
