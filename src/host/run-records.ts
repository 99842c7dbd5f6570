// What the vault keeps of runs that have ended: the newest of all, and of restores every one, because what an old one has left can be open still.

import type { ComponentId } from '../domain/component.ts';
import type { RunStatus } from '../domain/operations.ts';
import type { PartPlan } from '../domain/part.ts';
import { type HoldfastError, toHoldfastError } from '../errors/index.ts';
import { eachOf } from '../postgres/recovery/parallel.ts';
import type { Vault } from '../vault/index.ts';

export interface RunRecords {
  /** Newest first. */
  readonly runs: readonly RunStatus[];
  /** Runs that recovered something for a while, and of which no end is kept: they go on, or were ended from outside. */
  readonly parts: readonly UnendedPart[];
  /** What of restores cannot be read, and so is not known, not even of which component it is; none of it hides the others. */
  readonly unread: readonly Unread[];
}

export interface UnendedPart {
  readonly run: string;
  readonly component: ComponentId;
  /** Where it recovers to. */
  readonly dataDirectory: string;
}

export interface Unread {
  /** Absent: the records as a whole. */
  readonly record?: { readonly run: string; readonly storedAt: Date };
  readonly error: HoldfastError;
}

type Records = Awaited<ReturnType<Vault['listRecords']>>;
type Asked = Pick<Vault, 'listRecords' | 'getRecord'>;

/** Other runs older than the newest so many are left to a person with the vault. */
const HISTORY_LIMIT = 200;
/** Of mirrors fewer, and beside the others: they may come every minute, and `status` tells of when each mirror is. */
const MIRRORS_LIMIT = 20;
/** Small objects, and a store may be far away. */
const AT_ONCE = 32;
const RESULT = 'result';
/** The plan of bringing back a part, which its run keeps before it touches anything. */
const PART = 'part';

/** The newest runs. Throws when any of them cannot be read. */
export async function readHistory(vault: Asked, component?: ComponentId): Promise<RunStatus[]> {
  const { runs, unread } = await readEach(vault, newestOf(resultsOf(await vault.listRecords())));
  for (const { error } of unread) throw error;
  return runs.filter((status) => component === undefined || status.component === component);
}

/** The newest runs, and every restore, rollback and confirmation. Never throws. */
export async function readRunRecords(vault: Asked): Promise<RunRecords> {
  try {
    const records = await vault.listRecords();
    const results = resultsOf(records);
    const { runs, unread } = await readEach(vault, [
      ...new Set([...newestOf(results), ...results.filter(isOfRestore)]),
    ]);
    const parts = await readParts(vault, unendedOf(records));
    return { runs, ...parts, unread: [...unread.filter(({ record }) => isOfRestore(record)), ...parts.unread] };
  } catch (error) {
    return { runs: [], parts: [], unread: [{ error: toHoldfastError(error) }] };
  }
}

function isOfRestore({ run }: { readonly run: string }): boolean {
  return /^(restore|rollback|confirm|part)-/.test(run);
}

/** Plans of parts whose runs have no result. */
function unendedOf(records: Records): Records {
  const ended = new Set(resultsOf(records).map(({ run }) => run));
  return records.filter(({ run, name }) => name === PART && !ended.has(run));
}

async function readParts(
  vault: Asked,
  records: Records,
): Promise<{ readonly parts: readonly UnendedPart[]; readonly unread: readonly Required<Unread>[] }> {
  const parts: UnendedPart[] = [];
  const unread: Required<Unread>[] = [];
  await eachOf(records, AT_ONCE, async (record) => {
    try {
      const { run, component, recovery } = (await vault.getRecord(record.run, PART)) as PartPlan;
      parts.push({ run, component, dataDirectory: recovery.dataDirectory });
    } catch (error) {
      unread.push({ record, error: toHoldfastError(error) });
    }
  });
  return { parts, unread };
}

/** Those of one component, and what may be of it. */
export function recordsOf({ runs, parts, unread }: RunRecords, component: ComponentId): RunRecords {
  const isOwn = (each: { readonly component: string }) => each.component === component;
  return { runs: runs.filter(isOwn), parts: parts.filter(isOwn), unread };
}

function resultsOf(records: Records): Records {
  return records.filter(({ name }) => name === RESULT);
}

function newestOf(results: Records): Records {
  const sorted = [...results].sort((a, b) => b.storedAt.getTime() - a.storedAt.getTime());
  const others = sorted.filter((each) => !isOfMirror(each)).slice(0, HISTORY_LIMIT);
  return [...others, ...sorted.filter(isOfMirror).slice(0, MIRRORS_LIMIT)];
}

function isOfMirror({ run }: { readonly run: string }): boolean {
  return run.startsWith('mirror-');
}

async function readEach(vault: Asked, records: Records): Promise<{ runs: RunStatus[]; unread: Required<Unread>[] }> {
  const runs: RunStatus[] = [];
  const unread: Required<Unread>[] = [];
  await eachOf(records, AT_ONCE, async (record) => {
    try {
      runs.push((await vault.getRecord(record.run, RESULT)) as RunStatus);
    } catch (error) {
      unread.push({ record, error: toHoldfastError(error) });
    }
  });
  return { runs: runs.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)), unread };
}
