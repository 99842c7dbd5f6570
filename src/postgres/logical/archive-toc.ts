// The table of contents of a dump as `pg_restore --list` prints it: what is in it, and in which file each part of the data is.

import { fail } from '../../errors/index.ts';
import type { PostgresTools } from '../tools.ts';
import { runProgram } from './client-program.ts';

export interface TocEntry {
  /** Of the dump; the rows of a table are in `<number>.dat`. */
  readonly number: number;
  /** `TABLE`, `TABLE DATA`, `FK CONSTRAINT`, …; see `describe`. */
  readonly kind: string;
  /** Behind the kind: schema, name and owner, not quoted, so that only whole lines can be compared. */
  readonly rest: string;
  readonly line: string;
}

export interface LinkedEntry extends TocEntry {
  /** Numbers of entries that must be there before. */
  readonly needs: readonly number[];
}

/** A million objects are about 100 MB of list. */
const MAX_LIST_BYTES = 512 * 1024 ** 2;

/** Kinds of more than one word, longest first where one begins another (PostgreSQL, pg_dump.c: the descriptions of its entries). */
const longKinds = [
  'ACCESS METHOD',
  'CHECK CONSTRAINT',
  'DATABASE PROPERTIES',
  'DEFAULT ACL',
  'EVENT TRIGGER',
  'FK CONSTRAINT',
  'FOREIGN DATA WRAPPER',
  'FOREIGN TABLE',
  'FOREIGN SERVER',
  'INDEX ATTACH',
  'LARGE OBJECT',
  'BLOB METADATA',
  'BLOB COMMENTS',
  'MATERIALIZED VIEW DATA',
  'MATERIALIZED VIEW',
  'OPERATOR CLASS',
  'OPERATOR FAMILY',
  'POLICY',
  'PROCEDURAL LANGUAGE',
  'PUBLICATION TABLES IN SCHEMA',
  'PUBLICATION TABLE',
  'ROW SECURITY',
  'SECURITY LABEL',
  'SEQUENCE OWNED BY',
  'SEQUENCE SET',
  'SHELL TYPE',
  'STATISTICS DATA',
  'SUBSCRIPTION TABLE',
  'TABLE ATTACH',
  'TABLE DATA',
  'TEXT SEARCH CONFIGURATION',
  'TEXT SEARCH DICTIONARY',
  'TEXT SEARCH PARSER',
  'TEXT SEARCH TEMPLATE',
  'USER MAPPING',
] as const;

/** Throws `BACKUP_INVALID` when the programs cannot read it: it is cut off, damaged, or no dump. */
export async function readToc(
  tools: PostgresTools,
  directory: string,
  signal: AbortSignal,
): Promise<readonly TocEntry[]> {
  return parseToc(await listOf(tools, directory, ['--list'], signal));
}

/** With what each entry needs, which only the talkative list tells. Throws as `readToc` does. */
export async function readLinkedToc(
  tools: PostgresTools,
  directory: string,
  signal: AbortSignal,
): Promise<readonly LinkedEntry[]> {
  return parseLinkedToc(await listOf(tools, directory, ['--list', '--verbose'], signal));
}

async function listOf(tools: PostgresTools, directory: string, args: readonly string[], signal: AbortSignal) {
  const options = { signal, maxStdoutBytes: MAX_LIST_BYTES };
  const { stdout } = await runProgram(tools, 'pg_restore', [...args, directory], options).catch((error: unknown) => {
    if (signal.aborted) throw error;
    return fail('BACKUP_INVALID', `pg_restore cannot read the dump in '${directory}'`, { cause: error });
  });
  return stdout;
}

/** Below an entry: `;	depends on: 215 3232`. */
export function parseLinkedToc(list: string): readonly LinkedEntry[] {
  const entries: (TocEntry & { needs: readonly number[] })[] = [];
  for (const line of list.split('\n')) {
    const [, numbers] = /^;\s*depends on:((?: \d+)+)$/.exec(line) ?? [];
    const last = entries.at(-1);
    if (numbers !== undefined && last !== undefined) last.needs = numbers.trim().split(' ').map(Number);
    else entries.push(...parseToc(line).map((entry) => ({ ...entry, needs: [] })));
  }
  return entries;
}

/** Throws `BACKUP_INVALID` for a line that is none of a list. */
export function parseToc(list: string): readonly TocEntry[] {
  return list
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => {
      const [, number, behind] = /^(\d+); \d+ \d+ (.*)$/.exec(line) ?? [];
      if (number === undefined || behind === undefined) {
        return fail('BACKUP_INVALID', `the list of a dump has a line that is not understood: '${line}'`);
      }
      const kind = longKinds.find((one) => behind.startsWith(`${one} `)) ?? behind.split(' ', 1)[0] ?? '';
      return { number: Number(number), kind, rest: behind.slice(kind.length + 1), line };
    });
}

export function isTableData({ kind }: TocEntry): boolean {
  return kind === 'TABLE DATA';
}

/** Large objects, some or all of them; a list of their own names their files. */
export function isLargeObjects({ kind }: TocEntry): boolean {
  return kind === 'BLOBS';
}

/**
 * A subscription that is loaded names the slot of the one that was dumped: it would take the rows of that one, its database could not be dropped, and to
 * drop it would drop the slot at the publisher. So it and what is said of it never are.
 */
export function withoutSubscriptions<Entry extends TocEntry>(
  entries: readonly Entry[],
): { readonly entries: readonly Entry[]; readonly leftOut: readonly string[] } {
  const isOne = ({ kind }: TocEntry) => kind === 'SUBSCRIPTION' || kind === 'SUBSCRIPTION TABLE';
  const isAbout = ({ kind, rest }: TocEntry) =>
    (kind === 'COMMENT' || kind === 'SECURITY LABEL' || kind === 'ACL') && rest.startsWith('- SUBSCRIPTION ');
  return {
    entries: entries.filter((entry) => !isOne(entry) && !isAbout(entry)),
    leftOut: entries
      .filter(({ kind }) => kind === 'SUBSCRIPTION')
      .map(({ kind, rest }) => `${kind} ${rest}, which would take from the same slot as the one that it is a copy of`),
  };
}

/**
 * What belongs together, one part after the other: objects and rows, then rights, then what is run with these rights in place (PostgreSQL,
 * pg_backup_archiver.c, `_tocEntryRestorePass`).
 */
export function restorePasses<Entry extends TocEntry>(
  entries: readonly Entry[],
): Readonly<Record<'main' | 'rights' | 'last', readonly Entry[]>> {
  const passOf = ({ kind, rest }: TocEntry) => {
    if (kind === 'ACL' || kind === 'DEFAULT ACL') return 'rights';
    if (kind === 'EVENT TRIGGER' || kind === 'MATERIALIZED VIEW DATA') return 'last';
    const isAbout = kind === 'COMMENT' || kind === 'SECURITY LABEL';
    return isAbout && rest.startsWith('- EVENT TRIGGER ') ? 'last' : 'main';
  };
  const { main = [], rights = [], last = [] } = Object.groupBy(entries, passOf);
  return { main, rights, last };
}

/** Before 17 there is one list for all. */
export function largeObjectList({ number }: TocEntry, dumpMajor: number): string {
  return dumpMajor >= 17 ? `blobs_${number}.toc` : 'blobs.toc';
}

export function rowsFile({ number }: TocEntry): string {
  return `${number}.dat`;
}
