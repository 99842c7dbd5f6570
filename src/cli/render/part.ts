// Bringing back one table or one database, as people read it: the plan that asks for a yes, and what came of it.

import type { PartPlan, PartResult, RoomPlace, TableDependencies } from '../../domain/part.ts';
import { blockerLines, renderPlan } from './plan.ts';
import { bytesText, counted, fullTime } from './words.ts';

const ways = { as: 'under the name', replace: 'in place of the rows of', into: 'into the new database' } as const;

export function renderPartPlan(plan: PartPlan, zone: string): string[] {
  const { what, way, into, database, keptAs, today, notes, warnings, blockers, recovery } = plan;
  // What is in its way is in the way of the whole.
  const recovered = renderPlan({ ...recovery, blockers: [] }, zone).filter((line) => !/^ {6}digest/.test(line));
  return [
    `plan  ${what} of database '${database}', ${ways[way]} '${into}'; how many rows it has is known when it is recovered`,
    ...(keptAs === undefined ? [] : [`      the rows of now are kept in ${keptAs}`]),
    ...notes.map((note) => `      ${note}`),
    ...(today === undefined
      ? []
      : [
          `      today: ${bytesText(today.sizeBytes)}, ${counted(today.columns, 'column')}, of ${today.owner}`,
          ...hanging(today.dependencies),
        ]),
    ...(plan.room?.places ?? []).flatMap(roomLines),
    ...warnings.map((warning) => `      warning: ${warning}`),
    `      recovered for a while, then removed:`,
    ...recovered.map(
      (line) => `  ${line.replace(/^plan {2}beside, /, '      ').replace(/; production is not touched$/, '')}`,
    ),
    ...blockerLines(blockers),
    `      digest ${plan.digest}`,
  ];
}

/** What nobody could look at is among the warnings. */
export function roomLines({ of, neededBytes, directory, availableBytes }: RoomPlace): string[] {
  if (availableBytes === undefined) return [];
  const free = `${bytesText(availableBytes)} are free in ${directory}`;
  return [`      takes up to ${bytesText(neededBytes)} of production's room (${of.join(', ')}), ${free}`];
}

function hanging(dependencies: TableDependencies): string[] {
  const { references, referencedBy, views, triggers, publications, sequences, partitions, partitionOf } = dependencies;
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ['refers to', references],
    ['is referred to by', referencedBy],
    ['is in the views', [...views, ...dependencies.materializedViews]],
    ['has the triggers', triggers.map(({ name }) => name)],
    ['has the rules', dependencies.rules],
    ['is published by', publications],
    ['owns the sequences', sequences],
    ['has the generated columns', dependencies.generated],
    ['has the identity columns', dependencies.identity],
    ['has the partitions', partitions],
    ['is a partition of', partitionOf === undefined ? [] : [partitionOf]],
  ];
  const lines = lists.flatMap(([words, names]) => (names.length === 0 ? [] : [`      ${words} ${names.join(', ')}`]));
  return dependencies.rowSecurity ? [...lines, '      has row-level security'] : lines;
}

export function partLines(
  { what, way, into, database, recoveredTo, recoveredLsn, rows, tables, sum, kept }: PartResult,
  zone: string,
): string[] {
  const count = way === 'into' ? `${counted(rows, 'row')} of ${counted(tables, 'table')}` : counted(rows, 'row');
  const equal = sum === undefined ? 'as in the recovered server' : `as in the recovered server (sum ${sum})`;
  return [
    `  ${what} of database '${database}' as of ${fullTime(recoveredTo, zone)}, recovered to ${recoveredLsn}`,
    `  ${way === 'replace' ? 'in' : 'as'} '${into}': ${count}, ${equal}`,
    ...(kept === undefined
      ? []
      : [`  ${counted(kept.rows, 'row')} of before kept in ${kept.table}; drop it when nobody needs them`]),
  ];
}
