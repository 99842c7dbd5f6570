// What the status of a component says of its warm mirror: of when it is, whether it is whole, and when that is longer ago than was promised.

import type { FilesSettings, MirrorSettings } from '../../config/index.ts';
import type { ComponentStatus, Finding } from '../domain/component-report.ts';
import { describeSeconds } from '../domain/duration.ts';
import { heldWords, type MirrorReport } from '../domain/mirror.ts';
import { momentFromDate, secondsBetween, shortMoment } from '../domain/moment.ts';
import { toHoldfastError } from '../errors/index.ts';
import { mirrorMemory, mirrorReport } from '../files/index.ts';
import { mirrorDirectory } from './check-pull.ts';
import { late } from './snapshot-findings.ts';

/** On the component's own host: only that remembers it. */
export async function withMirror(
  status: ComponentStatus,
  { id, mirror, name }: Pick<FilesSettings, 'id' | 'mirror' | 'name'>,
  stateDirectory: string,
  now = new Date(),
): Promise<ComponentStatus> {
  if (mirror === undefined) return status;
  try {
    const directory = mirrorDirectory(stateDirectory, name);
    const report = await mirrorReport(directory, mirror);
    const behindSeconds = report.asOf && Math.max(0, Math.round(secondsBetween(report.asOf, momentFromDate(now))));
    const findings = mirrorFindings(report, behindSeconds, { id, mirror, memory: mirrorMemory(directory) });
    return joined(
      { ...status, mirror: { ...report, ...(behindSeconds !== undefined && { behindSeconds }) } },
      findings,
    );
  } catch (error) {
    const { message, hint } = toHoldfastError(error);
    return joined(status, [late(`of when the mirror is cannot be told: ${message}`, hint)]);
  }
}

function warning(message: string, hint: string): Finding {
  return { severity: 'warning', message, hint };
}

function joined(status: ComponentStatus, findings: readonly Finding[]): ComponentStatus {
  const isLate = findings.some(({ severity }) => severity === 'late');
  const state = isLate && status.state === 'ok' ? 'late' : status.state;
  return { ...status, state, findings: [...findings, ...status.findings] };
}

interface MirrorAsked {
  readonly id: string;
  readonly mirror: Pick<MirrorSettings, 'schedule' | 'behindSeconds'>;
  /** File that its last runs are remembered in. */
  readonly memory: string;
}

export function mirrorFindings(
  { to, state, asOf, error, heldBecause }: MirrorReport,
  behindSeconds: number | undefined,
  { id, mirror, memory }: MirrorAsked,
): Finding[] {
  const comes = mirror.schedule === undefined ? 'the next snapshot' : 'the next snapshot, or its schedule,';
  const next = `${comes} brings it up, \`holdfast files mirror ${id}\` does it now; \`holdfast history ${id}\` tells what went wrong`;
  if (asOf === undefined || behindSeconds === undefined) {
    const why = error === undefined ? '' : `: ${error}`;
    return [late(`the mirror '${to}' has never been whole${why}`, next)];
  }
  const since = `it is of ${shortMoment(asOf)}`;
  if (behindSeconds > mirror.behindSeconds) {
    const why = error === undefined ? '' : `: ${error}`;
    return [late(`the mirror '${to}' is ${describeSeconds(behindSeconds)} behind${why}`, next)];
  }
  if (state === 'held back') {
    const hint =
      heldBecause === 'far fewer'
        ? `are all disks mounted? If so few are meant, remove '${memory}' on the component's host: the next run goes by what it finds`
        : heldBecause === 'meanwhile'
          ? `are all disks mounted? If they are, ${next}`
          : 'look at what went; if all of it is meant, raise `mirror.maxDelete` for one run';
    return [warning(`the mirror '${to}' keeps names that are gone: ${heldWords(heldBecause)}`, hint)];
  }
  if (state === 'failed') return [warning(`the last run of the mirror '${to}' failed, ${since}: ${error ?? ''}`, next)];
  return [];
}
