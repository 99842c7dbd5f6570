// A restore plan as the person who must say yes to it reads it.

import { describeSeconds } from '../../domain/duration.ts';
import type { PlanSummary } from '../../domain/plan-summary.ts';
import type { ErrorData } from '../../errors/index.ts';
import { bytesText, counted, fullTime } from './words.ts';

export function renderPlan(plan: PlanSummary, zone: string): string[] {
  const { target, base, log } = plan;
  const segments =
    log.segments === 0 ? 'no log' : `${bytesText(log.bytes)} of log (${counted(log.segments, 'segment')})`;
  const lines = [
    `plan  ${plan.mode}, ${bytesText(base.sizeBytes)} from ${base.copy}${base.why ? ` (${base.why})` : ''}, replay ${segments}`,
    `      recovers ${plan.component} to ${fullTime(target.moment, zone)}`,
    `      asked for ${target.requested}: log position ${target.endLsn} on timeline ${target.timeline}`,
  ];
  if (target.lastTransaction)
    lines.push(`      last transaction kept ${transactionText(target.lastTransaction, zone)}`);
  if (target.firstLeftOut) lines.push(`      first one left out    ${transactionText(target.firstLeftOut, zone)}`);
  lines.push(`      base backup ${base.snapshot} of ${fullTime(base.to, zone)}`);
  lines.push(
    plan.mode === 'in place'
      ? `      replaces ${plan.dataDirectory} on ${plan.host}; old data kept at ${plan.keepOldAt ?? 'its side'} until you confirm`
      : `      into ${plan.dataDirectory} on ${plan.host}; production is not touched`,
  );
  if (plan.standbySlot !== undefined)
    lines.push(`      follows the primary as its standby, by the slot ${plan.standbySlot}`);
  for (const { link, directory, keptAt } of plan.linked ?? [])
    lines.push(`      and ${directory} behind ${link}; old data kept in ${keptAt}`);
  lines.push(`      ${forecastText(plan)}`);
  lines.push(`      needs ${bytesText(plan.space.neededBytes)}, ${bytesText(plan.space.availableBytes)} are free`);
  for (const { directory, neededBytes, availableBytes } of plan.space.elsewhere ?? [])
    lines.push(`      and ${bytesText(neededBytes)} in ${directory}, ${bytesText(availableBytes)} are free there`);
  for (const warning of plan.warnings) lines.push(`      warning: ${warning}`);
  lines.push(...blockerLines(plan.blockers));
  lines.push(`      digest ${plan.digest}`);
  return lines;
}

/** Each with what mends it: all can be mended at once, and not one after another. */
export function blockerLines(blockers: readonly ErrorData[] = []): string[] {
  return blockers.flatMap(({ message, hint }) => [`      in the way: ${message}`, `          hint: ${hint}`]);
}

function forecastText({ forecast, rtoSeconds }: PlanSummary): string {
  const promised = rtoSeconds === undefined ? '' : `; ${describeSeconds(rtoSeconds)} were promised`;
  if (forecast === undefined) return `no forecast: no restore of it was measured yet${promised}`;
  const { fetchMs, replayMs, restMs, totalMs, restores, isWithoutSwap } = forecast;
  const about = (ms: number) => describeSeconds(Math.ceil(ms / 1000));
  const parts = `fetch ${about(fetchMs)}, replay ${about(replayMs)}, the rest ${about(restMs)}`;
  const swap = isWithoutSwap ? ', without the swap, which was never measured' : '';
  const isLonger = rtoSeconds !== undefined && totalMs > rtoSeconds * 1000;
  const late = isLonger ? `, LONGER than the ${describeSeconds(rtoSeconds)} that were promised` : promised;
  return `forecast ${about(totalMs)} (${parts}${swap}; by ${counted(restores, 'restore')})${late}`;
}

function transactionText(transaction: { xid: string; time: PlanSummary['target']['moment'] }, zone: string): string {
  return `${transaction.xid} at ${fullTime(transaction.time, zone)}`;
}
