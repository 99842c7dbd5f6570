// Takes the facts of every database of a source; a backup goes on whatever comes of it.

import { parseColumnName } from '../../domain/column-name.ts';
import { isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { openPlain, withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';
import { FactsBudget } from './budget.ts';
import { type Ask, readFacts } from './read-facts.ts';
import type { DatabaseFacts, FactsChoice, SnapshotFacts } from './types.ts';

/** Each costs a connection; clusters with more are told of. */
const MOST_DATABASES = 50;
/** Reasons in a manifest; what is missing everywhere has the same one. */
const MOST_REASONS = 20;

const databasesSql = `select datname as name, has_database_privilege(oid, 'connect') as enters, datname = current_database() as own
  from pg_database where datallowconn and not datistemplate
  order by case when has_database_privilege(oid, 'connect') then pg_database_size(oid) else 0 end desc, datname`;

/** Never throws but `CANCELLED`. */
export async function takeFacts(source: Source, choice: FactsChoice, signal: AbortSignal): Promise<SnapshotFacts> {
  const missing: string[] = [];
  const databases: DatabaseFacts[] = [];
  const budget = new FactsBudget(choice.withinMs);
  try {
    const rows = await withPlain(source, (plain) =>
      plain.query<{ name: string; enters: boolean; own: boolean }>('list its databases', databasesSql),
    );
    const open = rows.filter(({ enters }) => enters);
    const shut = rows.filter(({ enters }) => !enters);
    missing.push(...shut.map(({ name }) => `database '${name}': our role may not connect`));
    for (const { name, own } of open.slice(0, MOST_DATABASES)) {
      signal.throwIfAborted();
      const found = await factsOf(source, { name, own }, choice, budget, signal);
      if ('facts' in found) databases.push(found.facts);
      missing.push(...found.problems);
    }
    if (open.length > MOST_DATABASES)
      missing.push(`${open.length - MOST_DATABASES} databases beyond the ${MOST_DATABASES} largest`);
  } catch (error) {
    if (signal.aborted || isHoldfastError(error, 'CANCELLED')) throw error;
    missing.push(toHoldfastError(error).message);
  }
  return withMissing(databases, missing);
}

export function withMissing(databases: readonly DatabaseFacts[], missing: readonly string[]): SnapshotFacts {
  if (missing.length === 0) return { version: 1, databases };
  const more = missing.length - MOST_REASONS;
  const told = more > 0 ? [...missing.slice(0, MOST_REASONS), `and ${more} more`] : missing;
  return { version: 1, databases, missing: told };
}

async function factsOf(
  source: Source,
  { name, own }: { readonly name: string; readonly own: boolean },
  choice: FactsChoice,
  budget: FactsBudget,
  signal: AbortSignal,
): Promise<
  { readonly facts: DatabaseFacts; readonly problems: readonly string[] } | { readonly problems: readonly string[] }
> {
  try {
    const plain = await openPlain({ ...source, database: name });
    try {
      const ask: Ask = (sql) => plain.query('read its facts', sql);
      return await readFacts(ask, { database: name, maximum: chosenIn(choice, name, own), budget, signal });
    } finally {
      await plain.close();
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return { problems: [`database '${name}': ${toHoldfastError(error).message}`] };
  }
}

/** Those of the configuration that are of this database, without its name; `own`: it is the one of the url. */
export function chosenIn({ maximum }: FactsChoice, name: string, own: boolean): readonly string[] {
  return maximum.flatMap((text) => {
    const { database } = parseColumnName(text);
    if (database === undefined) return own ? [text] : [];
    return database === name ? [withoutDatabase(text)] : [];
  });
}

function withoutDatabase(text: string): string {
  const [first = ''] = /^(?:"(?:[^"]|"")+"|[^".]+)\./.exec(text) ?? [];
  return text.slice(first.length);
}
