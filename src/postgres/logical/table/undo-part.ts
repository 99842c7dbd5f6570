// Undoing what brings back a table or a database: what has no name yet is dropped; what has got its name is told, and never taken back unseen.

import type { TableName } from '../../../domain/part.ts';
import { fail } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { passingName } from '../load/request.ts';
import { dropDatabase, isMadeBy } from '../load/target-database.ts';
import { type CarryRequest, dropPassing } from './carry-table.ts';
import { isBroughtBack } from './give-name.ts';
import { beOnlySession } from './sessions.ts';
import { keptTable, plainName, quoted } from './table-names.ts';

export interface UndoTable extends Pick<CarryRequest, 'run' | 'estate' | 'component'> {
  readonly table: TableName;
  /** Absent: its rows were to be replaced. */
  readonly as?: TableName;
}

/**
 * A session of the run that still works is ended first. Throws `JOURNAL_STATE` where it had committed, which a cancellation may have hidden: clients may
 * use what is there.
 */
export async function undoTable(plain: PlainConnection, request: UndoTable): Promise<void> {
  const { run, table, as } = request;
  await beOnlySession(plain, run);
  const marked = as ?? keptTable(table, run);
  if (await isBroughtBack(plain, marked, run)) {
    const words =
      as === undefined
        ? `the rows of '${plainName(table)}' were replaced already; those of before are kept in ${plainName(marked)}`
        : `the table has its name '${plainName(as)}' already`;
    const hint =
      as === undefined
        ? 'look at them; docs/restoration-procedures.md has the statements that put the kept rows back'
        : `when nobody wants it: DROP TABLE ${quoted(as)};`;
    fail('JOURNAL_STATE', words, { hint });
  }
  await dropPassing(plain, request);
}

/** The same for a whole database. */
export async function undoDatabase(target: Source, run: string, into: string): Promise<void> {
  if (await isMadeBy(target, into, run)) {
    fail('JOURNAL_STATE', `the database has its name '${into}' already`, {
      hint: `when nobody wants it: DROP DATABASE "${into}";`,
    });
  }
  await dropDatabase(target, passingName(run));
}
