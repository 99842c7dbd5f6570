// The chapters of the quickstart in order: protect, destroy, recover, prove, and the numbers at the end.

import { appendFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ComponentStatus, SnapshotSummary } from '../../domain/component-report.ts';
import { type Moment, momentFromUnixMicros } from '../../domain/moment.ts';
import type { RestoreResult } from '../../domain/run-data.ts';
import { bytesText } from '../../domain/size.ts';
import { fail } from '../../errors/index.ts';
import { statementsDirectory } from '../statements.ts';
import { type Audit, audit } from './audit.ts';
import { Bank, countingRight, openBank } from './bank.ts';
import { differing, type Sums, sumsOf } from './folder.ts';
import { Load } from './load.ts';
import { nextSteps } from './next-steps.ts';
import { chapter, type Shell, say } from './shell.ts';

export interface StoryOptions {
  readonly dir: string;
  /** Content of `sandbox.json`. */
  readonly sandbox: {
    readonly postgres: { readonly url: string; readonly bindir: string };
    readonly temporal: { readonly ui: string };
  };
  readonly shell: Shell;
  readonly startedMs: number;
  readonly signal: AbortSignal;
}

export interface Story {
  readonly proved: boolean;
  /** Until the signal. */
  stayUp(): Promise<void>;
  close(): Promise<void>;
}

interface Disaster {
  readonly moment: Moment;
  readonly momentMicros: number;
  readonly rpoSeconds: number | undefined;
}

interface Recovery {
  readonly run: string;
  readonly url: string | undefined;
  readonly restore: RestoreResult;
  /** From typing the command to the first transfer that the bank's clients got acknowledged again. */
  readonly outageMs: number;
}

/** Seconds of normal business before the disaster, and of business that nobody knows is broken after it. */
const businessSeconds = 12;
const unnoticedSeconds = 4;

export async function tellStory(options: StoryOptions): Promise<Story> {
  const { dir, sandbox, startedMs } = options;
  const { url, bindir } = sandbox.postgres;
  chapter(startedMs, 'open a bank: pgbench and a transfer desk whose ledger is kept outside the database');
  const load = new Load({ url, bindir, logFile: path.join(dir, 'logs', 'pgbench.log') });
  await load.prepare();
  await openBank(url);
  say(`bank=# ${countingRight};  -- so that a backup counts rows, and a restore compares them`);
  const bank = new Bank({ url, ledgerPath: path.join(dir, 'ledger.jsonl') });
  bank.start();
  load.start();
  const close = async () => {
    await Promise.all([bank.stop(), load.stop()]);
  };
  try {
    await protect(options, bank);
    const folder = statementsDirectory(dir);
    const statements = await sumsOf(folder);
    const disaster = await destroy(options, bank);
    const recovery = await recover(options, bank, disaster);
    const result = await prove(options, bank, disaster, load, { before: statements, after: await sumsOf(folder) });
    await finish(options, disaster, recovery, result);
    const proved = isProved(result);
    return { proved, close, stayUp: () => stayUp(options, recovery) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function protect({ shell, startedMs }: StoryOptions, bank: Bank): Promise<void> {
  chapter(startedMs, 'set up Holdfast: vault, three copies, slot, log, schedules');
  await shell.type(['setup', '--yes']);
  chapter(startedMs, 'take a full base backup while the bank is open');
  await shell.type(['backup', 'database', 'main']);
  chapter(startedMs, 'take a snapshot of the statements that the bank keeps as files');
  await shell.type(['backup', 'files', 'statements']);
  chapter(startedMs, 'check: force a segment switch and see that segment arrive on every copy');
  await shell.type(['check', 'database/main']);
  say(`\nthe bank is open for ${businessSeconds} more seconds: ${bank.acknowledged} transfers so far`);
  await sleep(businessSeconds * 1000);
  await shell.type(['status']);
}

async function destroy({ shell, sandbox, startedMs, dir }: StoryOptions, bank: Bank): Promise<Disaster> {
  const { components } = (await shell.ask('status')) as { components?: ComponentStatus[] };
  const rpoSeconds = components?.[0]?.rpo.nowSeconds;
  chapter(startedMs, 'the disaster: an UPDATE and a DELETE without a WHERE, and a folder too many');
  const client = new pg.Client({ connectionString: sandbox.postgres.url });
  await client.connect();
  try {
    const clock = await client.query<{ micros: string }>(
      'select (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros',
    );
    const momentMicros = Number(clock.rows[0]?.micros);
    await client.query('begin; update bank.accounts set cents = 0; delete from bank.transfers; commit');
    const moment = momentFromUnixMicros(BigInt(momentMicros));
    say(`just before it: ${moment}`);
    say('bank=# update bank.accounts set cents = 0;  delete from bank.transfers;');
    await rm(path.join(statementsDirectory(dir), '2026', '03'), { recursive: true });
    await appendFile(path.join(statementsDirectory(dir), '2026', '04', 'account-7.txt'), 'and a million more\n');
    say('$ rm -r statements/2026/03; echo "and a million more" >> statements/2026/04/account-7.txt');
    say(
      `nobody notices for ${unnoticedSeconds} seconds, and the bank goes on (${bank.acknowledged} transfers acknowledged)`,
    );
    await sleep(unnoticedSeconds * 1000);
    return { moment, momentMicros, rpoSeconds };
  } finally {
    await client.end();
  }
}

async function recover({ shell, startedMs }: StoryOptions, bank: Bank, { moment }: Disaster): Promise<Recovery> {
  chapter(startedMs, 'the recovery: back to just before it, in place, the old data kept');
  await shell.type(['restore', 'database', 'main', '--to', moment, '--dry-run']);
  const typedMs = Date.now();
  await shell.type(['restore', 'database', 'main', '--to', moment, '--yes']);
  const before = bank.acknowledged;
  while (bank.acknowledged === before) await sleep(20);
  const outageMs = Date.now() - typedMs;
  chapter(startedMs, 'the statements: what would change, then back as they were, and only those');
  await shell.type(['restore', 'files', 'statements', '--to', moment, '--dry-run']);
  await shell.type(['restore', 'files', 'statements', '--to', moment, '--yes']);
  const runs = (await shell.ask('history', 'database/main')) as { runs?: { id: string; operation?: string }[] };
  const run = runs.runs?.find(({ operation }) => operation === 'restoreDatabase')?.id;
  if (run === undefined) fail('NOT_FOUND', 'the history does not know the restore that just ended');
  const shown = (await shell.ask('show', run)) as { restore?: RestoreResult; run?: { url?: string } };
  if (shown.restore === undefined) fail('NOT_FOUND', `'${run}' has no result of a restore`);
  return { run, url: shown.run?.url, restore: shown.restore, outageMs };
}

interface Proof {
  readonly audit: Audit;
  readonly pgbenchAgrees: boolean;
  /** Files that are not what they were, of how many. */
  readonly statements: { readonly wrong: readonly string[]; readonly all: number };
}

function isProved({ audit, pgbenchAgrees, statements }: Proof): boolean {
  return audit.ok && pgbenchAgrees && statements.all > 0 && statements.wrong.length === 0;
}

async function prove(
  options: StoryOptions,
  bank: Bank,
  disaster: Disaster,
  load: Load,
  { before, after }: { readonly before: Sums; readonly after: Sums },
): Promise<Proof> {
  const { sandbox, startedMs } = options;
  chapter(startedMs, 'the proof: the recovered books against the ledger kept outside');
  const result = await audit(sandbox.postgres.url, bank.ledger, disaster.momentMicros);
  say(`  transfers in the database, new ones included ${result.transfers}`);
  say(`  acknowledged before it, and lost           ${result.lost.length} of ${result.owed}`);
  say(`  begun after it, and there all the same     ${result.tooMany.length} of ${result.later}`);
  say(`  balances that differ from the ledger       ${result.wrongBalances.length} of ${result.accounts}`);
  const pgbenchAgrees = await load.agrees();
  say(`  pgbench: branches = tellers = accounts = history   ${pgbenchAgrees ? 'yes' : 'NO'}`);
  const statements = { wrong: differing(before, after), all: before.size };
  say(`  statements that are missing or differ      ${statements.wrong.length} of ${statements.all}`);
  return { audit: result, pgbenchAgrees, statements };
}

async function finish(options: StoryOptions, disaster: Disaster, recovery: Recovery, proof: Proof): Promise<void> {
  const { shell, sandbox, startedMs } = options;
  const { restore } = recovery;
  chapter(startedMs, 'after the recovery, a new full backup has started by itself');
  await shell.type(['backup', 'database', 'main']);
  await shell.type(['list', 'database/main']);
  const { snapshots = [] } = (await shell.ask('list', 'database/main')) as { snapshots?: SnapshotSummary[] };
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const { fetch, replay, promote, checks, swap = 0 } = restore.timingsMs;
  chapter(startedMs, isProved(proof) ? 'proved' : 'NOT PROVED');
  say(`  recovered to  ${restore.recoveredTo} (${restore.recoveredLsn})`);
  say(
    `  RPO           ${disaster.rpoSeconds === undefined ? 'unknown' : seconds(disaster.rpoSeconds * 1000)} of work would have been lost with the host`,
  );
  say(`  RTO           ${seconds(recovery.outageMs)} from the command to the bank's first new transfer`);
  say(
    `                fetch ${seconds(fetch)}, replay ${seconds(replay)}, promote ${seconds(promote)}, checks ${seconds(checks)}, swap ${seconds(swap)}`,
  );
  for (const snapshot of snapshots) {
    const where = Object.entries(snapshot.copies)
      .map(([copy, state]) => `${copy} ${state}`)
      .join(', ');
    say(
      `  stored        ${snapshot.id}: ${bytesText(snapshot.bytes.read)} read, ${bytesText(snapshot.bytes.stored)} stored; ${where}`,
    );
  }
  say(`  Temporal UI   ${recovery.url ?? sandbox.temporal.ui}`);
}

async function stayUp({ dir, signal }: StoryOptions, { run }: Recovery): Promise<void> {
  for (const line of nextSteps(dir, run)) say(line);
  say('\neverything stays up, and the bank stays open, until Ctrl-C');
  await sleep(2 ** 31 - 1, undefined, { signal }).catch(() => undefined);
}
