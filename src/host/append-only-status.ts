// What the status of a component of Redis says of its append-only files between captures: kept, waiting, not kept, lost.

import type { RedisSettings } from '../../config/index.ts';
import type { ComponentStatus, Finding } from '../domain/component-report.ts';
import type { Moment } from '../domain/moment.ts';
import { bytesText } from '../domain/size.ts';
import { toHoldfastError } from '../errors/index.ts';
import { type KeptReport, reportKept } from '../redis/index.ts';
import type { SnapshotOnCopies } from '../vault/index.ts';
import { appendOnlyOf } from './redis-places.ts';
import { late } from './snapshot-findings.ts';

/** On the component's own host: only that has the files. */
export async function withAppendOnly(
  status: ComponentStatus,
  settings: RedisSettings,
  snapshots: readonly SnapshotOnCopies[],
): Promise<ComponentStatus> {
  if (settings.backup.aof === undefined) return status;
  const findings = await keptFindings(settings, snapshots.find(({ kind }) => kind === 'aof')?.from);
  const isLate = findings.some(({ severity }) => severity === 'late');
  const state = isLate && status.state === 'ok' ? 'late' : status.state;
  return { ...status, state, findings: [...findings, ...status.findings] };
}

async function keptFindings(settings: RedisSettings, since: Moment | undefined): Promise<Finding[]> {
  try {
    return appendOnlyFindings(await reportKept(appendOnlyOf(settings), since), settings.id);
  } catch (error) {
    const { message, hint } = toHoldfastError(error);
    return [late(`whether the append-only files are kept cannot be told: ${message}`, hint)];
  }
}

export function appendOnlyFindings(
  { waitingBytes, freeBytes, unkept, lost, setAside }: KeptReport,
  component: string,
): Finding[] {
  const show = `see \`holdfast show aof/${component}\``;
  return [
    ...lost.map(({ why }) =>
      late(`append-only files were lost before they were captured: ${why}`, `the next capture tells the gap; ${show}`),
    ),
    ...(unkept.length === 0
      ? []
      : [
          late(
            `append-only files are not kept: a rewrite would leave a gap (${unkept.join(', ')})`,
            'is the worker of this host running, and may it write below the data directory?',
          ),
        ]),
    ...(waitingBytes * 2 <= freeBytes
      ? []
      : [
          late(
            `${bytesText(waitingBytes)} of append-only files wait for a capture, ${bytesText(freeBytes)} are free beside them`,
            `when they are more than what is free, the oldest are let go; ${show}`,
          ),
        ]),
    ...setAside.map(
      (directory): Finding => ({
        severity: 'warning',
        message: `damaged append-only files were set aside in '${directory}'`,
        hint: 'no capture has them whole; look at them (`redis-check-aof`), then remove the directory',
      }),
    ),
  ];
}
