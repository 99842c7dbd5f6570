// The check of a database, which proves one concrete thing end to end: a segment closed now is on every copy, and everything a backup asks for is there.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Configuration, DatabaseSettings } from '../../config/index.ts';
import { resolveSecret } from '../../config/index.ts';
import { idleSlotHint, idleSlotWords } from '../domain/idle-slot.ts';
import { slotName } from '../domain/ids.ts';
import { lsnFrom, lsnValue, type SegmentName, segmentNameAt } from '../domain/lsn.ts';
import { CHECK_WAIT_SECONDS, type CheckReport, type CheckResult } from '../domain/setup-report.ts';
import { isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { BecomesPrimary, requireFitStandby } from '../postgres/backup/index.ts';
import { closeSegment } from '../postgres/close-segment.ts';
import { withPlain } from '../postgres/connection/index.ts';
import { checkColumns } from '../postgres/facts/index.ts';
import { identify } from '../postgres/identity.ts';
import { preflight } from '../postgres/preflight.ts';
import { readIdleSlots } from '../postgres/receiver/index.ts';
import type { ClusterIdentity, Source } from '../postgres/types.ts';
import type { Vault } from '../vault/index.ts';
import type { CheckOptions } from './check.ts';

const LOOK_AGAIN_MS = 500;

export async function checkDatabase(
  vault: Vault,
  configuration: Configuration,
  database: DatabaseSettings,
  options: CheckOptions = {},
): Promise<Omit<CheckReport, 'component' | 'ok'>> {
  const checks: CheckResult[] = [];
  const source: Source = { component: database.id, url: await resolveSecret(database.url) };
  const slot = slotName(configuration.name, database.name);
  const asked = await preflight(source, {
    slot,
    incremental: database.backup.incremental !== undefined,
    files: database.reading.way === 'auto',
    ...(database.log.synchronous && { synchronous: 'now' }),
  });
  checks.push(
    ...asked.map(({ name, ok, message, hint }) => ({ name, ok, message, ...(hint === undefined ? {} : { hint }) })),
  );
  const reachable = asked.find(({ name }) => name === 'reachable')?.ok === true;
  if (reachable) checks.push(...(await checkColumns(source, database.facts.maximum)));
  if (reachable && database.standby !== undefined) checks.push(await standbyCheck(source, database.standby));
  if (reachable) {
    checks.push(await toldSlotCheck(source, slot, database, options), ...(await otherSlotChecks(source, slot)));
    checks.push(await commitCheck(source));
  }
  const segment = reachable ? await segmentCheck(vault, source, database, options) : undefined;
  if (segment) checks.push(...segment.checks);
  return { checks, ...(segment?.segment === undefined ? {} : { segment: segment.segment }) };
}

/** Without a fit standby every base backup can be taken from the primary, so this is never bad. */
async function standbyCheck(
  source: Source,
  { url, behindBytes }: NonNullable<DatabaseSettings['standby']>,
): Promise<CheckResult> {
  const name = 'standby';
  try {
    const standby = { component: source.component, url: await resolveSecret(url) };
    await requireFitStandby(source, { source: standby, behindBytes });
    return { name, ok: true, message: 'base backups are read from it' };
  } catch (error) {
    if (error instanceof BecomesPrimary)
      return { name, ok: true, message: `base backups are read from the primary, because ${error.message}` };
    const { message, hint } = toHoldfastError(error);
    return { name, ok: false, message, hint };
  }
}

interface SlotRow extends Record<string, unknown> {
  readonly active: boolean;
  readonly wal_status: string | null;
  readonly retained: string | null;
}

/** A segment comes by the slot alone: what is wrong with it is told before the segment is waited for. */
async function toldSlotCheck(
  source: Source,
  slot: string,
  database: DatabaseSettings,
  { onDoubt }: CheckOptions,
): Promise<CheckResult> {
  const result = await slotCheck(source, slot, database);
  if (!result.ok) onDoubt?.(`slot: ${result.message}; ${result.hint}`);
  return result;
}

async function slotCheck(source: Source, slot: string, database: DatabaseSettings): Promise<CheckResult> {
  const name = 'slot';
  const [row] = await withPlain(source, (connection) =>
    connection.query<SlotRow>(
      'look at the replication slot',
      `select active, wal_status, pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
         else pg_current_wal_lsn() end, restart_lsn)::text as retained from pg_replication_slots where slot_name = $1`,
      [slot],
    ),
  );
  if (row === undefined) return { name, ok: false, message: `'${slot}' does not exist`, hint: 'run `holdfast setup`' };
  if (row.wal_status === 'lost') {
    const hint = 'the worker makes a new slot and a new full backup; see `holdfast status`';
    return { name, ok: false, message: `'${slot}' has lost log`, hint };
  }
  const kept = row.retained === null ? '' : `, ${row.retained} bytes of log kept for it`;
  if (row.active) return { name, ok: true, message: `'${slot}' is being read${kept}` };
  const hint = `start \`holdfast worker\` on '${database.host}'`;
  return { name, ok: false, message: `nobody reads '${slot}'${kept}`, hint };
}

/** No backup lacks anything because of them, so they are never bad; but the disk that they fill is the database's. */
async function otherSlotChecks(source: Source, own: string): Promise<CheckResult[]> {
  const name = 'other slots';
  const idle = await readIdleSlots(source, own);
  if (idle.length === 0) return [{ name, ok: true, message: 'none keeps log that nobody reads' }];
  return idle.map((each) => ({ name, ok: true, message: idleSlotWords(each), hint: idleSlotHint(each) }));
}

const MEASURED_COMMITS = 5;
/** Of one commit: whoever waits longer waits for copies that are away. The server then lets the commit pass, with nothing but a warning. */
const COMMIT_DEADLINE_MS = 30_000;
const WAITED_MS = 0.9 * COMMIT_DEADLINE_MS;

/** What a commit costs now, the copies included where it waits for them. */
async function commitCheck(source: Source): Promise<CheckResult> {
  const name = 'commit';
  try {
    const times = await withPlain(
      source,
      async (connection) => {
        const measured: number[] = [];
        while (measured.length < MEASURED_COMMITS && (measured.at(-1) ?? 0) < WAITED_MS) {
          const startedMs = performance.now();
          await connection.query('commit something', "select pg_logical_emit_message(true, 'holdfast', 'check')");
          measured.push(performance.now() - startedMs);
        }
        return measured;
      },
      { statementMs: COMMIT_DEADLINE_MS },
    );
    times.sort((a, b) => a - b);
    const median = times[Math.floor(times.length / 2)] ?? 0;
    const slowest = times.at(-1) ?? 0;
    if (slowest > WAITED_MS) {
      const hint =
        'see `holdfast copies` for the copy that takes no log; docs/zero-rpo.md says how to let commits pass without it';
      return { name, ok: false, message: `waited for the copies longer than ${Math.round(WAITED_MS / 1000)} s`, hint };
    }
    return {
      name,
      ok: true,
      message: `took ${median.toFixed(1)} ms, the slowest of ${times.length} ${slowest.toFixed(1)} ms`,
    };
  } catch (error) {
    const { message, hint } = toHoldfastError(error);
    return { name, ok: false, message, hint };
  }
}

type SegmentOutcome = Pick<CheckReport, 'segment'> & { readonly checks: readonly CheckResult[] };

async function segmentCheck(
  vault: Vault,
  source: Source,
  database: DatabaseSettings,
  options: CheckOptions,
): Promise<SegmentOutcome> {
  try {
    const cluster = await identify(source);
    const lsn = await closeSegment(source);
    // The last byte of the segment that was closed, not the first of the next one.
    const name = segmentNameAt(cluster.timeline, lsnFrom(lsnValue(lsn) - 1n), cluster.segmentSizeBytes);
    const waited = await waitOnCopies(vault, database, cluster, name, options);
    return { segment: { name, lsn, copies: waited }, checks: waitChecks(name, waited, database, options) };
  } catch (error) {
    const { message, hint } = toHoldfastError(error);
    return { checks: [{ name: 'segment', ok: false, message, hint }] };
  }
}

/** Milliseconds until each copy had the closed segment; `null` for one that did not in time. */
async function waitOnCopies(
  vault: Vault,
  database: DatabaseSettings,
  cluster: ClusterIdentity,
  segment: SegmentName,
  { waitSeconds = CHECK_WAIT_SECONDS, signal }: CheckOptions,
): Promise<Record<string, number | null>> {
  const startedMs = Date.now();
  const waits = vault.copies.map(async ({ name }) => {
    const log = vault.log(database.id, cluster.systemId, name);
    while (Date.now() - startedMs < waitSeconds * 1000) {
      signal?.throwIfAborted();
      if (await hasSegment(log, cluster.timeline, segment)) return [name, Date.now() - startedMs] as const;
      await sleep(LOOK_AGAIN_MS, undefined, signal === undefined ? {} : { signal });
    }
    return [name, null] as const;
  });
  return Object.fromEntries(await Promise.all(waits));
}

/** A copy that does not answer now may answer in a moment; its own check tells why. */
async function hasSegment(log: ReturnType<Vault['log']>, timeline: number, segment: SegmentName): Promise<boolean> {
  try {
    const { objects } = await log.list({ timeline, fromSegment: segment });
    return objects.some((object) => object.kind === 'segment' && object.segment === segment);
  } catch (error) {
    if (isHoldfastError(error)) return false;
    throw error;
  }
}

function waitChecks(
  segment: string,
  copies: Readonly<Record<string, number | null>>,
  database: DatabaseSettings,
  { waitSeconds = CHECK_WAIT_SECONDS }: CheckOptions,
): CheckResult[] {
  return Object.entries(copies).map(([copy, ms]) => {
    const name = `segment on ${copy}`;
    if (ms !== null) return { name, ok: true, message: `${segment} arrived in ${(ms / 1000).toFixed(1)} s` };
    const hint = `is \`holdfast worker\` running on '${database.host}'? does \`holdfast copies\` show '${copy}' as ready?`;
    return { name, ok: false, message: `${segment} did not arrive within ${waitSeconds} s`, hint };
  });
}
