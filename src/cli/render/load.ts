// Loading a dump as people read it: the plan that asks for a yes, and what came of it.

import type { LoadPlan, LoadResult } from '../../domain/load.ts';
import { checkLine } from './check.ts';
import { roomLines } from './part.ts';
import { blockerLines } from './plan.ts';
import { bytesText, counted, fullTime } from './words.ts';

export function renderLoadPlan(plan: LoadPlan, zone: string): string[] {
  const { what, into, as, isNew, majors, tables, bytes, space, roles, needs, leftOut, warnings, blockers } = plan;
  const majorsText =
    majors.dumped === majors.server
      ? `PostgreSQL ${majors.server}`
      : `PostgreSQL ${majors.dumped} into ${majors.server}`;
  return [
    `plan  load ${what} into ${isNew ? 'the new database' : 'database'} '${into}'${as === undefined ? '' : ` as '${as}'`}, ${bytesText(bytes)} of ${counted(tables, 'table')}, ${majorsText}`,
    `      as of ${fullTime(plan.moment, zone)}, from dump ${plan.snapshot} of ${plan.component}`,
    isNew
      ? '      loaded and compared under a passing name, then given its own; nothing that is there is touched'
      : '      loaded and compared in a passing database first, then added in one transaction; nothing that is there is changed',
    `      needs ${bytesText(space.neededBytes)} on ${plan.host}, ${bytesText(space.availableBytes)} are free`,
    ...(plan.room?.places ?? []).flatMap(roomLines),
    ...(roles.length === 0 ? [] : [`      makes the roles ${roles.join(', ')}`]),
    ...needs.map((each) => (isNew ? `      makes along: ${each}` : `      must be there: ${each}`)),
    ...leftOut.map((each) => `      leaves out: ${each}`),
    ...warnings.map((warning) => `      warning: ${warning}`),
    ...blockerLines(blockers),
    `      digest ${plan.digest}`,
  ];
}

export function loadLines(
  { what, into, as, moment, tables, rows, snapshot, checks = [] }: LoadResult,
  zone: string,
): string[] {
  return [
    `  ${what} as of ${fullTime(moment, zone)}, from dump ${snapshot}`,
    `  in database '${into}'${as === undefined ? '' : ` as '${as}'`}: ${counted(rows, 'row')} of ${counted(tables, 'table')}, as in the dump`,
    ...checks.map(checkLine),
  ];
}
