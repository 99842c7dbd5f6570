// A run's result as a page for people: a table for each piece of work, the log, the goals, and everything needed to repeat it.

import { goalTable } from '../lib/goals.ts';
import {
  contenderSections,
  gigabytes,
  machineLines,
  noiseLine,
  profileTable,
  stepTable,
  withSpread,
} from '../lib/report.ts';
import { median, NOISY_SHARE } from '../lib/statistics.ts';
import { type Work, works, workTitles } from './contender.ts';
import { judge, overheadPercent } from './goals.ts';
import type { Burst, ContenderResult, Load, PostgresResult, WorkResult } from './result.ts';
import { ARCHIVE_TIMEOUT_S } from './server.ts';
import { noiseOf } from './summaries.ts';

export function renderPostgres(result: PostgresResult): string {
  const { contenders, machine, corpus } = result;
  return [
    `# PostgreSQL beside its peers, ${result.at.slice(0, 10)}`,
    '',
    noiseLine(noiseOf(result), result.isNoisy),
    asideLine(result),
    `PostgreSQL ${result.version}, ${gigabytes(corpus.sizeBytes)} GB: ${corpus.documents} documents and pgbench's tables of scale ${corpus.pgbenchScale} (seed ${corpus.seed}, scale ${corpus.scale}), page checksums on; medians of at least ${result.rounds} rounds in turn, least and greatest in brackets; memory is the greatest of all rounds, without PostgreSQL's own processes. "Incremental": after ${result.transactions} transactions of pgbench. Every restored server was asked for every row and compared with the source. Only ratios within this page say anything.`,
    '',
    ...machineLines(machine, result.commit),
    '',
    ...works.flatMap((work) => workTable(result, work)),
    ...logTables(result),
    '## Goals',
    '',
    ...goalTable(judge(result)),
    ...missedLines(result),
    '## Where the time of Holdfast goes',
    '',
    ...profileLines(result),
    ...stepTables(result),
    ...contenderSections(contenders, works),
  ].join('\n');
}

/** They are at work because of the command, on the cores that it has; a short one notices it most. */
function asideLine({ contenders, machine }: PostgresResult): string {
  const each = contenders.flatMap(({ name, works: found }) =>
    works.flatMap((work) =>
      (found[work]?.measurements ?? []).map(({ asideCpuS, wallS }) => {
        return { title: `${name}, ${workTitles[work]}`, share: asideCpuS / (wallS * machine.cores) };
      }),
    ),
  );
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const above = new Map<string, number>();
  for (const { title, share } of each)
    if (share > NOISY_SHARE) above.set(title, Math.max(share, above.get(title) ?? 0));
  const most = Math.max(0, ...each.map(({ share }) => share));
  const where = [...above].map(([title, share]) => `${title}: ${percent(share)}`).join('; ');
  const told =
    where === '' ? '' : `; above ${percent(NOISY_SHARE)} in: ${where}, whose times may be that much too long`;
  return `Besides, those who take the log for other contenders used at most ${percent(most)} of the machine, for the log that the command made${told}.\n`;
}

const isRestore = (work: Work) => work === 'restore' || work === 'recovery';

function workTable({ contenders }: PostgresResult, work: Work): string[] {
  const own = contenders.find((each) => each.name === 'holdfast')?.works[work];
  const rows = contenders.flatMap(({ name, works: { [work]: found } }) => {
    if (found === undefined) return [];
    const isPeer = own !== undefined && name !== 'holdfast';
    const ratio = isPeer ? `${(own.summary.wallS / found.summary.wallS).toFixed(2)} ×` : '';
    return [`| ${name} | ${cells(work, found)} | ${ratio} |`];
  });
  if (rows.length === 0) return [];
  const last = isRestore(work) ? 'in restore_command s' : 'stored MB';
  const head = `| | wall s | CPU s (user) | server's CPU s | peak RSS MB | ${last} | Holdfast takes |`;
  return [`## ${workTitles[work]}`, '', head, '|---|--:|--:|--:|--:|--:|--:|', ...rows, ''];
}

function cells(work: Work, { summary, storedBytes, waitedS }: WorkResult): string {
  const cpu = `${summary.cpuS.toFixed(1)} (${summary.userS.toFixed(1)}) | ${summary.besideS.toFixed(1)}`;
  const last = isRestore(work) ? waitedS.toFixed(1) : (storedBytes / 1e6).toFixed(1);
  const memory = Math.round(summary.peakRssBytes / 1e6);
  return `${withSpread(summary.wallS, summary.wallSpreadS)} | ${cpu} | ${memory} | ${last}`;
}

function logTables({ contenders, unburdened, loadS }: PostgresResult): string[] {
  const taking = contenders.filter(({ bursts }) => bursts.length > 0);
  const [first] = taking;
  if (first === undefined) return [];
  const bytes = median(first.bursts.map((each) => each.bytes));
  return [
    '## the log',
    '',
    `A burst: rows loaded by one session until there were ${gigabytes(bytes)} GB of log; from the first byte until the last was durable in the repository, and how much of that was after the server had written it. Kept: as much that the server had kept while nobody took it, from the start of taking it (for Holdfast of its process). Medians.`,
    '',
    '| | burst MB/s | of it behind s | CPU s of all, with the server | kept MB/s |',
    '|---|--:|--:|--:|--:|',
    ...taking.map(burstRow),
    '',
    `pgbench for ${loadS} s at full speed, 4 clients. Lag: from the moment that a client knew of its commit until that commit was durable in the repository, sampled 25 times a second; medians of the rounds' figures. For Holdfast durable is what its receiver's commit policy calls so (its object synced on the copy), a position in the log at any byte. For pgBackRest it is the file of the whole segment in the repository under its name: a segment of 16 MB is its unit, at rest at most ${ARCHIVE_TIMEOUT_S} s old (\`archive_timeout\`); commits in the last, unfinished one have no figure and are left out.`,
    '',
    '| | TPS | lost | lag p50 s | p99 s | greatest s | commits sampled (left out) |',
    '|---|--:|--:|--:|--:|--:|--:|',
    loadRow('nobody takes the log', unburdened, unburdened),
    ...taking.map(({ name, loads }) => loadRow(name, loads, unburdened)),
    '',
  ];
}

function burstRow({ name, bursts }: ContenderResult): string {
  const rate = (seconds: (burst: Burst) => number) =>
    (median(bursts.map((burst) => burst.bytes / seconds(burst))) / 1e6).toFixed(0);
  const behind = median(bursts.map((each) => each.behindS)).toFixed(2);
  const cpu = median(
    bursts.map(({ measurement: { userS, systemS, besideCpuS } }) =>
      Object.values(besideCpuS).reduce((sum, each) => sum + each, userS + systemS),
    ),
  ).toFixed(1);
  const kept = bursts.some(({ backlogS }) => Number.isNaN(backlogS)) ? '' : rate((burst) => burst.backlogS);
  return `| ${name} | ${rate((burst) => burst.wallS)} | ${behind} | ${cpu} | ${kept} |`;
}

function loadRow(name: string, loads: readonly Load[], unburdened: readonly Load[]): string {
  const tps = loads.map((each) => each.tps);
  const spread = `${median(tps).toFixed(0)} (${Math.min(...tps).toFixed(0)}–${Math.max(...tps).toFixed(0)})`;
  if (loads === unburdened) return `| ${name} | ${spread} | | | | | |`;
  const lags = loads.flatMap(({ lag }) => (lag === undefined ? [] : [lag]));
  const of = (what: 'p50S' | 'p99S' | 'greatestS') =>
    lags.length === 0 ? '' : median(lags.map((lag) => lag[what])).toFixed(2);
  const sum = (what: 'probes' | 'leftOut') => lags.reduce((all, lag) => all + lag[what], 0);
  const lost = `${overheadPercent(loads, unburdened).toFixed(1)} %`;
  return `| ${name} | ${spread} | ${lost} | ${of('p50S')} | ${of('p99S')} | ${of('greatestS')} | ${sum('probes')} (${sum('leftOut')}) |`;
}

function profileLines({ contenders, profiles, machine }: PostgresResult): string[] {
  const own = contenders.find((each) => each.name === 'holdfast');
  const looked = works.flatMap((work) => {
    const found = own?.works[work];
    return found === undefined ? [] : [{ title: workTitles[work], profile: profiles[work], summary: found.summary }];
  });
  const receiver = (title: string, profile: typeof profiles.burst) => ({ title, profile, summary: undefined });
  const log = [receiver('receiver in a burst', profiles.burst), receiver('receiver of kept log', profiles.kept)];
  return profileTable([...looked, ...log], machine.cores);
}

/** How much of the CPU time is told of a goal that was missed. */
const TOLD_PARTS = 4;

/** Of each goal of time that was missed, what most of the time was. */
function missedLines(result: PostgresResult): string[] {
  const own = result.contenders.find((each) => each.name === 'holdfast');
  const missed = judge(result).filter((each) => !each.isMet && each.of !== undefined);
  const lines = missed.flatMap(({ goal, of }) => {
    const found = own?.works[of as Work];
    const parts = result.profiles[of as keyof typeof result.profiles]?.parts.slice(0, TOLD_PARTS) ?? [];
    const cpu = parts.map(({ name, share }) => `${name} ${(share * 100).toFixed(0)} %`).join(', ');
    const busy =
      found && `${(found.summary.cpuS / found.summary.wallS).toFixed(2)} of ${result.machine.cores} cores busy`;
    const steps = Object.entries(found?.steps ?? {})
      .filter(([name]) => name !== 'starved')
      .sort(([, one], [, other]) => other - one)
      .slice(0, TOLD_PARTS)
      .map(([name, ms]) => `${name} ${(ms / 1000).toFixed(2)} s`);
    const told = [busy, cpu && `of the CPU time ${cpu}`, steps.length > 0 && `by the clock ${steps.join(', ')}`];
    const words = told.filter((each) => typeof each === 'string' && each !== '').join('; ');
    return words === '' ? [] : [`- **${goal}**: ${words}.`];
  });
  return lines.length === 0 ? [] : ['Where the time of what was missed went:', '', ...lines, ''];
}

const STEP_WORDS = {
  backups:
    "Steps of a backup in seconds, medians. `start`: Node and the code; `prepare`: questions, facts, the checkpoint, an incremental one's parent; `log`: the wait until the log up to the end of the backup is on the copy; `look again`: the manifest and every pack looked at after the commit.",
  restores:
    'Steps of a restore in seconds, medians. `start`: Node and the code; `starved`: of the replay, how long the server waited for a segment that was not fetched yet.',
} as const;

function stepTables({ contenders }: PostgresResult): string[] {
  const found = contenders.find((each) => each.name === 'holdfast')?.works;
  const columns = (...of: Work[]) => of.map((work) => ({ title: workTitles[work], steps: found?.[work]?.steps }));
  return [
    ...stepTable(STEP_WORDS.backups, columns('full', 'incremental')),
    ...stepTable(STEP_WORDS.restores, columns('restore', 'recovery')),
  ];
}
