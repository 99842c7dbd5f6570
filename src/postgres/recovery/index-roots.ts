// Looks at the first page and the root of every index of a database, as they are on the disk: a search that cannot begin finds nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import { PageChecker } from '../backup/page-checksum.ts';
import { RELATION_SEGMENT_BYTES } from '../backup/relation-file.ts';
import { type FirstPage, readFirstPage, wrongRoot } from './index-page.ts';
import type { RecoveredSession } from './recovered-session.ts';

export interface IndexRoots {
  readonly indexes: number;
  /** Fewer than `indexes` when the time ended. */
  readonly read: number;
  /** Not among `indexes`: what a `CREATE INDEX CONCURRENTLY` that failed, or was under way, has left; the server itself searches none of them. */
  readonly notBuilt: number;
  /** In words, one for each index that no search can begin at. */
  readonly wrong: readonly string[];
}

/** Pages that one question carries. */
const AT_ONCE = 256;
/** A page that is written right now can be read half. */
const LOOKS = 3;
const LOOK_AGAIN_MS = 200;
const EVERY_PAGE = (1n << 64n) - 1n;

/** The system's own and those of TOAST tables too; unlogged ones are made anew by a recovery. */
const indexesSql = `select c.oid::int8::text as oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
    t.oid::regclass::text as of, a.amname::text as method, pg_relation_filepath(c.oid) as file,
    i.indisvalid and i.indisready as built
  from pg_class c join pg_index i on i.indexrelid = c.oid join pg_class t on t.oid = i.indrelid
    join pg_namespace n on n.oid = c.relnamespace join pg_am a on a.oid = c.relam
  where c.relkind = 'i' and c.relpersistence = 'p' order by c.oid`;

const settingsSql = `select current_setting('block_size')::int as page, current_setting('data_checksums') = 'on' as checksums`;

const pagesSql = `select nr::int as nr, coalesce(pg_read_binary_file(file, start, $3, true), '') as page
  from unnest($1::text[], $2::int8[]) with ordinality as wanted(file, start, nr) order by nr`;

interface Index extends Record<string, unknown> {
  readonly name: string;
  readonly of: string;
  readonly method: string;
  readonly file: string;
  readonly built: boolean;
}

interface Wanted {
  readonly index: Index;
  readonly block: number;
}

/**
 * The server reads the files itself, so the session must be a superuser's, and what it has in memory was written by a checkpoint before. Throws
 * `RECOVERY_FAILED` when it cannot be asked.
 */
export async function readIndexRoots(session: RecoveredSession, untilMs: number): Promise<IndexRoots> {
  const [settings] = await session.query<{ page: number; checksums: boolean }>(settingsSql);
  const { page: pageBytes, checksums } = settings!;
  const checker = checksums ? new PageChecker(pageBytes, EVERY_PAGE) : undefined;
  const listed = await session.query<Index>(indexesSql);
  const indexes = listed.filter(({ built }) => built);
  const wrong: string[] = [];
  let read = 0;
  for (; read < indexes.length && performance.now() < untilMs; read += AT_ONCE) {
    let suspects = indexes.slice(read, read + AT_ONCE);
    let words: readonly string[] = [];
    for (let look = 1; suspects.length > 0 && look <= LOOKS; look += 1) {
      if (look > 1) await sleep(LOOK_AGAIN_MS);
      const found = await lookAt(session, suspects, pageBytes, checker);
      suspects = found.map(({ index }) => index);
      words = found.map(({ index, why }) => `index ${index.name} of ${index.of}: ${why}`);
    }
    if (suspects.length > 0) wrong.push(...words);
  }
  const notBuilt = listed.length - indexes.length;
  return { indexes: indexes.length, read: Math.min(read, indexes.length), notBuilt, wrong };
}

async function lookAt(
  session: RecoveredSession,
  indexes: readonly Index[],
  pageBytes: number,
  checker: PageChecker | undefined,
): Promise<readonly { readonly index: Index; readonly why: string }[]> {
  const wrong: { index: Index; why: string }[] = [];
  const further: { index: Index; first: FirstPage; block: number }[] = [];
  const pages = await readPages(
    session,
    indexes.map((index) => ({ index, block: 0 })),
    pageBytes,
  );
  for (const [nr, index] of indexes.entries()) {
    const first = readFirstPage(index.method, pages[nr]!, checker);
    if ('wrong' in first) wrong.push({ index, why: first.wrong });
    else if (first.root !== undefined) further.push({ index, first, block: first.root });
  }
  const rootPages = await readPages(session, further, pageBytes);
  for (const [nr, { index, first }] of further.entries()) {
    const why = wrongRoot(index.method, rootPages[nr]!, first, checker);
    if (why !== undefined) wrong.push({ index, why });
  }
  return wrong;
}

async function readPages(session: RecoveredSession, wanted: readonly Wanted[], pageBytes: number): Promise<Buffer[]> {
  const perFile = RELATION_SEGMENT_BYTES / pageBytes;
  const files = wanted.map(({ index, block }) =>
    block < perFile ? index.file : `${index.file}.${Math.floor(block / perFile)}`,
  );
  const starts = wanted.map(({ block }) => (block % perFile) * pageBytes);
  const rows = await session.query<{ page: Buffer }>(pagesSql, [files, starts, pageBytes]);
  return rows.map(({ page }) => page);
}
