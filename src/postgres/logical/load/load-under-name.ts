// A table of a dump under another name in a database that is there: the database of a passing name is ours alone, so it is set apart there and carried over.

import type { TableName } from '../../../domain/part.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { inDatabase } from '../client-environment.ts';
import { dropPassing, extractApart, loadApart } from '../table/carry-table.ts';
import { giveName, isBroughtBack } from '../table/give-name.ts';
import { clusterOf, comparing, onProduction } from '../table/sessions.ts';
import { setApart } from '../table/set-apart.ts';
import { plainName, quoted } from '../table/table-names.ts';
import type { DumpAtHand } from './fill-passing.ts';
import { passingName } from './request.ts';
import { dropDatabase } from './target-database.ts';

export interface UnderName {
  readonly run: string;
  readonly estate: string;
  readonly component: string;
  readonly table: TableName;
  readonly as: TableName;
  readonly into: string;
  readonly moment: string;
  /** Below it, what is carried lies for a while. */
  readonly directory: string;
}

/** After the database of the passing name was filled and compared, which is dropped at the end. Answers with what a person should know. */
export async function loadUnderName(at: DumpAtHand, request: UnderName): Promise<readonly string[]> {
  const { target, tools, jobs, signal } = at;
  const { run, estate, component, table, as, into, moment, directory } = request;
  const own = inDatabase(target, passingName(run));
  const there = inDatabase(target, into);
  const apart = { run, table, as: as.table, moment: 'in the dump', keepStill: false };
  const then = await comparing(own, (plain) => setApart(plain, apart));
  const carry = { run, estate, component, as: as.table, directory, jobs, signal };
  const columns = then.columns.map(({ name }) => name);
  const extracted = await extractApart(own, tools, carry, { columns, extent: 'table' });
  const expected = await comparing(there, clusterOf);
  await loadApart(there, expected, tools, carry, extracted);
  const named = { run, into: as, owner: then.owner, about: `${plainName(table)} as of ${moment}` };
  const warnings = await onProduction(there, expected, (plain) => giveName(plain, named));
  await dropDatabase(target, passingName(run));
  return warnings;
}

/** An attempt that was killed after the last step has left its mark on the table. */
export async function hasName(target: Source, { run, as, into }: UnderName): Promise<boolean> {
  return await comparing(inDatabase(target, into), (plain) => isBroughtBack(plain, as, run));
}

export async function countUnder(target: Source, { as, into }: UnderName): Promise<number> {
  const sql = `select count(*)::text as rows from ${quoted(as)}`;
  const count = (plain: PlainConnection) => plain.query<{ rows: string }>('count its rows', sql);
  const [row] = await comparing(inDatabase(target, into), count);
  return Number(row?.rows);
}

export type LeftUnder = Pick<UnderName, 'estate' | 'component' | 'into' | 'run'>;

export async function dropUnder(target: Source, { into, ...place }: LeftUnder): Promise<void> {
  await comparing(inDatabase(target, into), (plain) => dropPassing(plain, place));
}
