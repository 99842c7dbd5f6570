// Which entries of a dump make up what is wanted of it: all, one schema, or one table with everything that is its own; and what stays out, and why.

import { fail } from '../../../errors/index.ts';
import { type LinkedEntry, withoutSubscriptions } from '../archive-toc.ts';

export type Wanted =
  | { readonly type: 'database' }
  | { readonly type: 'schema'; readonly schema: string }
  | { readonly type: 'table'; readonly schema: string; readonly table: string };

export interface Selection {
  /** In the order of the list. */
  readonly entries: readonly LinkedEntry[];
  /** Entries of what was asked for that need something which is not restored with it, in words. */
  readonly leftOut: readonly string[];
  /** Kinds and names of what they need beside themselves and lies outside: restored along into a new database, needed in one that is there. */
  readonly along: readonly LinkedEntry[];
  /** Both, in the order of the list. */
  readonly together: readonly LinkedEntry[];
}

/** What belongs to a table without being of other use. */
const ownKinds = new Set([
  'ACL',
  'COMMENT',
  'CONSTRAINT',
  'CHECK CONSTRAINT',
  'DEFAULT',
  'FK CONSTRAINT',
  'INDEX',
  'INDEX ATTACH',
  'POLICY',
  'ROW SECURITY',
  'RULE',
  'SECURITY LABEL',
  'SEQUENCE',
  'SEQUENCE OWNED BY',
  'SEQUENCE SET',
  'STATISTICS',
  'TABLE ATTACH',
  'TABLE DATA',
  'TRIGGER',
]);
/** Without their rows, which belong to what is not asked for, they would be a lie. */
const relationKinds = new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE']);

/** Throws `NOT_FOUND` when the dump has nothing of that name, `USAGE` when names with blanks leave open what is meant. */
export function selectEntries(all: readonly LinkedEntry[], wanted: Wanted): Selection {
  if (wanted.type === 'database') {
    const { entries, leftOut } = withoutSubscriptions(all);
    return { entries, leftOut, along: [], together: entries };
  }
  const seeds = wanted.type === 'schema' ? membersOf(all, wanted.schema) : tablesOf(all, wanted);
  const chosen = wanted.type === 'schema' ? new Set(seeds) : withOwnParts(all, seeds, `${wanted.schema} `);
  return prune(all, chosen);
}

function membersOf(all: readonly LinkedEntry[], schema: string): LinkedEntry[] {
  const schemas = all.filter(({ kind, rest }) => kind === 'SCHEMA' && rest.startsWith('- '));
  const other = schemas.find(({ rest }) => rest.startsWith(`- ${schema} `) && !isName(rest.slice(2), schema));
  if (other !== undefined) fail('USAGE', `'${schema}' could also be the beginning of '${other.rest.slice(2)}'`);
  const isOwn = ({ kind, rest }: LinkedEntry) =>
    rest.startsWith(`${schema} `) ||
    (kind === 'SCHEMA' && isName(rest.slice(2), schema)) ||
    ((kind === 'ACL' || kind === 'COMMENT') && isName(rest.slice(2), `SCHEMA ${schema}`));
  const found = all.filter(isOwn);
  if (found.length === 0) fail('NOT_FOUND', `the dump has no schema '${schema}', or nothing in it`);
  return found;
}

/** A name and behind it one word, the owner, or nothing. */
function isName(text: string, name: string): boolean {
  return text === name || (text.startsWith(`${name} `) && !text.slice(name.length + 1).includes(' '));
}

/** The table, and its partitions with theirs. */
function tablesOf(all: readonly LinkedEntry[], { schema, table }: { schema: string; table: string }): LinkedEntry[] {
  const found = all.filter(({ kind, rest }) => kind === 'TABLE' && isName(rest, `${schema} ${table}`));
  const [first, second] = found;
  if (first === undefined) return fail('NOT_FOUND', `the dump has no table '${schema}.${table}'`);
  if (second !== undefined) fail('USAGE', `'${schema}.${table}' could be '${first.rest}' or '${second.rest}'`);
  const tables = [first];
  const byNumber = new Map(all.map((entry) => [entry.number, entry]));
  // The list grows while it is walked.
  for (const parent of tables) {
    for (const attach of all) {
      if (attach.kind !== 'TABLE ATTACH' || !attach.needs.includes(parent.number)) continue;
      const children = attach.needs.flatMap((number) => byNumber.get(number) ?? []);
      tables.push(...children.filter((child) => child.kind === 'TABLE' && !tables.includes(child)));
    }
  }
  return tables;
}

function withOwnParts(all: readonly LinkedEntry[], tables: readonly LinkedEntry[], schema: string): Set<LinkedEntry> {
  const chosen = new Set(tables);
  const names = tables.map(({ rest }) => rest.slice(0, rest.lastIndexOf(' ')));
  const byNumber = new Map(all.map((entry) => [entry.number, entry]));
  const isOwn = (entry: LinkedEntry) =>
    ownKinds.has(entry.kind) &&
    // Foreign keys and rules of other tables need ours too.
    (!/^(FK CONSTRAINT|RULE|TRIGGER|POLICY)$/.test(entry.kind) ||
      names.some((name) => entry.rest.startsWith(`${name} `)));
  for (let before = -1; before !== chosen.size; ) {
    before = chosen.size;
    const numbers = new Set([...chosen].map(({ number }) => number));
    for (const entry of all) {
      if (chosen.has(entry) || !isOwn(entry) || !entry.needs.some((number) => numbers.has(number))) continue;
      chosen.add(entry);
      // What fills a column is the table's own: the sequence of a serial is made before it.
      if (entry.kind !== 'SEQUENCE OWNED BY') continue;
      for (const number of entry.needs) {
        const needed = byNumber.get(number);
        if (needed?.kind === 'SEQUENCE' && needed.rest.startsWith(schema)) chosen.add(needed);
      }
    }
  }
  return chosen;
}

/** Takes out what needs a relation that is not chosen, and what needs that in turn; tells what else is needed. */
function prune(all: readonly LinkedEntry[], chosen: Set<LinkedEntry>): Selection {
  const byNumber = new Map(all.map((entry) => [entry.number, entry]));
  const leftOut: string[] = [];
  const along = new Set<LinkedEntry>();
  for (let before = -1; before !== chosen.size; ) {
    before = chosen.size;
    along.clear();
    for (const entry of [...chosen]) {
      const missing = missingRelation(entry, byNumber, chosen, along);
      if (missing === undefined) continue;
      chosen.delete(entry);
      leftOut.push(`${entry.kind} ${entry.rest}, which needs ${missing.kind} ${missing.rest}`);
    }
  }
  return {
    entries: all.filter((entry) => chosen.has(entry)),
    leftOut,
    along: all.filter((entry) => along.has(entry)),
    together: all.filter((entry) => chosen.has(entry) || along.has(entry)),
  };
}

function missingRelation(
  entry: LinkedEntry,
  byNumber: ReadonlyMap<number, LinkedEntry>,
  chosen: ReadonlySet<LinkedEntry>,
  along: Set<LinkedEntry>,
): LinkedEntry | undefined {
  const seen = new Set<number>();
  const queue = [...entry.needs];
  const wanted: LinkedEntry[] = [];
  for (const number of queue) {
    const needed = byNumber.get(number);
    if (needed === undefined || seen.has(number) || chosen.has(needed)) continue;
    seen.add(number);
    if (relationKinds.has(needed.kind) || needed.kind === 'TABLE DATA') return needed;
    wanted.push(needed);
    queue.push(...needed.needs);
  }
  for (const needed of wanted) along.add(needed);
  return undefined;
}
