// A restore plan as the person who must say yes to it reads it.

import type { PlanSummary } from '../../domain/plan-summary.ts';
import { bytesText, counted, fullTime } from './words.ts';

export function renderPlan(plan: PlanSummary, zone: string): string[] {
  const { target, base, log } = plan;
  const segments =
    log.segments === 0 ? 'no log' : `${bytesText(log.bytes)} of log (${counted(log.segments, 'segment')})`;
  const lines = [
    `plan  ${plan.mode}, ${bytesText(base.sizeBytes)} from ${base.copy}, replay ${segments}`,
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
  for (const { link, directory, keptAt } of plan.linked ?? [])
    lines.push(`      and ${directory} behind ${link}; old data kept in ${keptAt}`);
  lines.push(`      needs ${bytesText(plan.space.neededBytes)}, ${bytesText(plan.space.availableBytes)} are free`);
  for (const { directory, neededBytes, availableBytes } of plan.space.elsewhere ?? [])
    lines.push(`      and ${bytesText(neededBytes)} in ${directory}, ${bytesText(availableBytes)} are free there`);
  for (const warning of plan.warnings) lines.push(`      warning: ${warning}`);
  for (const { message } of plan.blockers ?? []) lines.push(`      in the way: ${message}`);
  lines.push(`      digest ${plan.digest}`);
  return lines;
}

function transactionText(transaction: { xid: string; time: PlanSummary['target']['moment'] }, zone: string): string {
  return `${transaction.xid} at ${fullTime(transaction.time, zone)}`;
}
