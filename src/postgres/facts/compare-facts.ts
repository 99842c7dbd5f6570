// Compares the facts of a backup with what a restore made of it: only what no history of the database can explain contradicts.

import type { FactVerdict } from '../../domain/run-data.ts';
import { type DatabaseFacts, schemaKinds, type TableFacts } from './types.ts';

/** What was restored, and how it stands to the instant of the facts. */
export interface Restored {
  readonly facts: DatabaseFacts;
  /**
   * `same instant`: nothing was written in between, all must be equal. `later`: it was recovered to a later moment. `loaded`: a dump of that very
   * instant was loaded, where only structure, counts and maxima are the same.
   */
  readonly relation: 'same instant' | 'later' | 'loaded';
  /** A dump of another major version was loaded: its catalogue may say the same otherwise. */
  readonly otherMajor?: boolean;
  /** Facts of the next snapshot, when every transaction that the restored database shows had ended at its instant. */
  readonly next?: DatabaseFacts;
}

export interface FactComparison {
  readonly fact: string;
  readonly verdict: FactVerdict;
  /** In words, when it is anything but equal. */
  readonly words?: string;
  /** There was something to compare: a row, a value, an object. */
  readonly isSomething: boolean;
  /** Rows that were deleted explain it; so does data that is missing. A person decides. */
  readonly isDoubtful?: true;
}

/** Orders two values of a column as the database does; negative when the first is smaller. */
export type Order = (column: string, first: string, second: string) => Promise<number>;

export async function compareFacts(was: DatabaseFacts, restored: Restored, order: Order): Promise<FactComparison[]> {
  const { facts: is } = restored;
  const isIn = new Map(is.maxima.map(({ column, value }) => [column, value]));
  const maxima: FactComparison[] = [];
  for (const { column, value } of was.maxima)
    maxima.push(await compareMaximum(column, value, isIn.get(column), restored, order));
  const nowIn = new Map(is.tables.map((table) => [table.name, table]));
  const tables = was.tables.map((table) => compareTable(table, nowIn.get(table.name), restored));
  return [...compareSchema(was, restored), ...maxima, ...tables];
}

function compareSchema(
  was: DatabaseFacts,
  { facts: is, relation, otherMajor = false, next }: Restored,
): FactComparison[] {
  return schemaKinds.flatMap((kind): FactComparison[] => {
    const [before, now] = [was.schema[kind], is.schema[kind]];
    const fact = `definitions of ${kind}`;
    // Every database has the language plpgsql, as an extension: that is nothing of the user's.
    const isSomething = kind !== 'extensions' && (before?.objects ?? 0) > 0;
    if (before === undefined || now === undefined)
      return [{ fact, verdict: 'not compared', words: 'they could not be read', isSomething: false }];
    const sameStructure = before.structure === now.structure && before.objects === now.objects;
    const isSame =
      relation === 'loaded'
        ? before.structure === now.structure
        : sameStructure && before.definitions === now.definitions;
    if (isSame) return [{ fact, verdict: 'equal', isSomething }];
    const words = `${before.objects} then, ${now.objects} now, not the same`;
    if (relation === 'loaded' && otherMajor)
      return [
        { fact, verdict: 'not compared', words: 'another major version says them otherwise', isSomething: false },
      ];
    if (relation !== 'later') return [{ fact, verdict: 'contradicts', words, isSomething: true }];
    const after = next?.schema[kind];
    const asNext = after !== undefined && after.definitions === now.definitions ? ', as in the next backup' : '';
    return [
      {
        fact,
        verdict: 'moved on',
        words: `changed since the backup (${before.objects} then, ${now.objects} now${asNext})`,
        isSomething: true,
      },
    ];
  });
}

function compareTable(was: TableFacts, is: TableFacts | undefined, { facts, relation }: Restored): FactComparison {
  const fact = was.name;
  const none = (words: string): FactComparison => ({ fact, verdict: 'not compared', words, isSomething: false });
  if (was.basis === 'estimated') return none('too large to count then');
  if (relation === 'loaded' && was.materialized) return none('its rows were made anew');
  if (is === undefined) {
    // What could not be counted now is not known to be gone.
    if (Object.keys(facts.notCounted).length > 0) return none('could not be counted now');
    const words = `is not there; it had ${was.rows} rows`;
    return { fact, verdict: relation === 'later' ? 'moved on' : 'contradicts', words, isSomething: true };
  }
  const isSomething = was.rows > 0 || is.rows > 0;
  if (was.rows === is.rows) return { fact, verdict: 'equal', isSomething };
  const words = `${was.rows} rows then, ${is.rows} now`;
  return { fact, verdict: relation === 'later' ? 'moved on' : 'contradicts', words, isSomething };
}

/**
 * The column was chosen because it never goes back: smaller than before, or larger than later, is told as doubtful. It refuses nothing: a DELETE before or after
 * the target explains both, and to bring back what was deleted is what a recovery is for.
 */
async function compareMaximum(
  column: string,
  was: string | null,
  is: string | null | undefined,
  { relation, next }: Restored,
  order: Order,
): Promise<FactComparison> {
  const fact = `maximum of ${column}`;
  if (is === undefined) return { fact, verdict: 'not compared', words: 'it could not be read', isSomething: false };
  const isSomething = was !== null || is !== null;
  if (was === is) return { fact, verdict: 'equal', isSomething };
  const words = `${was ?? 'nothing'} then, ${is ?? 'nothing'} now`;
  if (relation !== 'later') return { fact, verdict: 'contradicts', words, isSomething };
  const doubtful = (reason: string): FactComparison => ({
    ...{ fact, verdict: 'moved on', words: `${words}: ${reason}`, isSomething },
    isDoubtful: true,
  });
  const later = next?.maxima.find((each) => each.column === column);
  try {
    if (was !== null && (is === null || (await order(column, is, was)) < 0)) return doubtful('it has gone back');
    if (later !== undefined && is !== null && (later.value === null || (await order(column, is, later.value)) > 0))
      return doubtful(`more than the ${later.value ?? 'nothing'} of the next backup`);
  } catch {
    return { fact, verdict: 'not compared', words: `${words}: its type was changed`, isSomething: false };
  }
  const bound = later === undefined ? '' : `, up to ${later.value} in the next backup`;
  return { fact, verdict: 'moved on', words: `${words}${bound}`, isSomething };
}
