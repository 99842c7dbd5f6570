// A run's result as a page for people: a table for each piece of work, the goals, and everything needed to repeat it.

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
import type { WorkResult } from '../lib/taken.ts';
import { type Work, works, workTitles } from './contender.ts';
import { judge } from './goals.ts';
import type { ContenderResult, RedisResult } from './result.ts';

export function renderRedis(result: RedisResult): string {
  const { contenders, machine, corpus } = result;
  const summaries = contenders.flatMap((each) => Object.values(each.works).map(({ summary }) => summary));
  return [
    `# Redis beside its own tools, ${result.at.slice(0, 10)}`,
    '',
    noiseLine(summaries, result.isNoisy),
    `${result.version}, ${corpus.keys} keys of every type in ${gigabytes(corpus.memoryBytes)} GB of its memory (seed ${corpus.seed}, scale ${corpus.scale}); medians of at least ${result.rounds} rounds in turn, least and greatest in brackets; memory is the greatest of all rounds, without that of servers, whose data it is. "Checked": by \`redis-check-rdb\`, when it is captured and when it is given back. Every restored server was compared with the source by \`DEBUG DIGEST\`. Only ratios within this page say anything.`,
    '',
    ...machineLines(machine, result.commit),
    '',
    ...works.flatMap((work) => workTable(result, work)),
    '## Goals',
    '',
    ...goalTable(judge(result)),
    ...missedLines(result),
    '## Where the time of Holdfast goes',
    '',
    ...profileLines(result),
    ...works.flatMap((work) =>
      stepTable(
        STEP_WORDS[work],
        contenders.map(({ name, works: of }) => ({ title: name, steps: of[work]?.steps })),
      ),
    ),
    ...contenderSections(contenders, works),
  ].join('\n');
}

/** The usual way and, of captures, the other one: each says what it takes beside every peer. */
const own = ['holdfast', 'holdfast_bgsave'];

function workTable({ contenders }: RedisResult, work: Work): string[] {
  const ours = contenders.filter(({ name, works: of }) => own.includes(name) && of[work] !== undefined);
  const rows = contenders.flatMap((each) => {
    const found = each.works[work];
    if (found === undefined) return [];
    const ratios = ours.map((one) => ratio(one, each, work)).join(' | ');
    return [`| ${each.name} | ${each.isChecked ? 'yes' : '**no**'} | ${cells(found)} | ${ratios} |`];
  });
  if (rows.length === 0) return [];
  const heads = ours.map(({ name }) => ` ${name} takes |`).join('');
  const head = `| | checked | wall s | CPU s (user) | server's CPU s | peak RSS MB | stored MB |${heads}`;
  return [
    `## ${workTitles[work]}`,
    '',
    head,
    `|---|---|--:|--:|--:|--:|--:|${ours.map(() => '--:|').join('')}`,
    ...rows,
    '',
  ];
}

function ratio(one: ContenderResult, peer: ContenderResult, work: Work): string {
  const [ours, theirs] = [one.works[work], peer.works[work]];
  if (own.includes(peer.name) || ours === undefined || theirs === undefined) return '';
  return `${(ours.summary.wallS / theirs.summary.wallS).toFixed(2)} ×`;
}

function cells({ summary, storedBytes }: WorkResult): string {
  const cpu = `${summary.cpuS.toFixed(1)} (${summary.userS.toFixed(1)}) | ${summary.besideS.toFixed(1)}`;
  const megabytes = `${Math.round(summary.peakRssBytes / 1e6)} | ${(storedBytes / 1e6).toFixed(1)}`;
  return `${withSpread(summary.wallS, summary.wallSpreadS)} | ${cpu} | ${megabytes}`;
}

function profileLines({ contenders, profiles, machine }: RedisResult): string[] {
  const found = contenders.find(({ name }) => name === 'holdfast')?.works;
  const looked = works.flatMap((work) => {
    const summary = found?.[work]?.summary;
    return summary === undefined ? [] : [{ title: workTitles[work], profile: profiles[work], summary }];
  });
  return profileTable(looked, machine.cores);
}

/** How much of the CPU time is told of a goal that was missed. */
const TOLD_PARTS = 4;

/** Of each goal of time that was missed, what most of the time was. */
function missedLines(result: RedisResult): string[] {
  const lines = judge(result).flatMap(({ goal, isMet, of, by }) => {
    const found = result.contenders.find(({ name }) => name === by)?.works[of as Work];
    if (isMet || found === undefined) return [];
    const parts = by === 'holdfast' ? (result.profiles[of as Work]?.parts.slice(0, TOLD_PARTS) ?? []) : [];
    const steps = Object.entries(found.steps ?? {}).sort(([, one], [, other]) => other - one);
    const told = [
      `${(found.summary.cpuS / found.summary.wallS).toFixed(2)} of ${result.machine.cores} cores busy`,
      ...parts.map(({ name, share }) => `${name} ${(share * 100).toFixed(0)} % of the CPU time`),
      ...steps.slice(0, TOLD_PARTS).map(([name, ms]) => `${name} ${(ms / 1000).toFixed(2)} s`),
    ];
    return [`- **${goal}**: ${told.join(', ')}.`];
  });
  return lines.length === 0 ? [] : ['Where the time of what was missed went:', '', ...lines, ''];
}

const STEP_WORDS: Readonly<Record<Work, string>> = {
  capture:
    'Steps of a capture in seconds, medians. `start`: Node and the code; `begin`: questions to the server, for `holdfast_bgsave` its save, until the first byte; `read`: until the last byte was compared and handed on; `commit`: the last packs, what the check has to say, the manifest; `look again`: the manifest and every pack looked at after the commit.',
  restore:
    'Steps of a restore in seconds, medians. `fetch`: decrypted, verified and written; then the last sync, `redis-check-rdb` and the start of the server side by side, and the comparison.',
};
