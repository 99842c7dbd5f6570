// A run's result as a page for people: a table for each piece of work, the goals, and everything needed to repeat it.

import type { Machine } from '../lib/machine.ts';
import { type Work, works, workTitles } from './contender.ts';
import { judge, type Verdict } from './goals.ts';
import { NOISY_SHARE, type VaultResult, type WorkResult } from './result.ts';

export function renderVault(result: VaultResult): string {
  const { corpus, contenders } = result;
  return [
    `# Vault beside its peers, ${result.at.slice(0, 10)}`,
    '',
    noise(result),
    `${gigabytes(corpus.sizeBytes)} GB in ${corpus.files} files (seed ${corpus.seed}, scale ${corpus.scale}); medians of ${result.rounds} rounds in turn, least and greatest in brackets; memory is the greatest of all rounds. "Some changed": 1 % of the files, and 1 MB inserted into the front of the largest. Every restored tree was compared with the original. Only ratios within this page say anything.`,
    '',
    ...machineLines(result.machine, result.commit),
    '',
    ...works.flatMap((work) => workTable(result, work)),
    '## Goals',
    '',
    ...goalTable(judge(result)),
    '## Where the time of Holdfast goes',
    '',
    ...profileTable(result),
    '## Contenders',
    '',
    ...contenders.map(
      (each) => `- **${each.name}** ${each.version}: ${each.options}. ${each.syncs} syncs in a first backup.`,
    ),
    '',
    '## Commands',
    '',
    ...contenders.flatMap((each) => [
      `${each.name}:`,
      '```',
      ...works.map((work) => `${work.padEnd(9)}  ${each.works[work].command}`),
      '```',
    ]),
    '',
  ].join('\n');
}

export function machineLines({ cores, processor, memoryBytes, kernel }: Machine, commit: string): string[] {
  return [`${cores} cores (${processor}), ${gigabytes(memoryBytes)} GB of memory, ${kernel}; commit ${commit}.`];
}

export function goalTable(verdicts: readonly Verdict[]): string[] {
  const shown = ({ value, limit, unit }: Verdict) => {
    const digits = unit === 'MiB' ? 0 : 2;
    return `${value.toFixed(digits)} ${unit} | ≤ ${limit} ${unit}`;
  };
  const rows = verdicts.map((each) => `| ${each.goal} | ${shown(each)} | ${each.isMet ? 'met' : '**NOT MET**'} |`);
  return ['| goal | measured | limit | |', '|---|--:|--:|---|', ...rows, ''];
}

function profileTable({ profiles, contenders, machine }: VaultResult): string[] {
  const looked = works.filter((work) => profiles[work] !== undefined);
  const own = contenders.find((each) => each.name === 'holdfast');
  if (looked.length === 0 || own === undefined) return ['No profile: the kernel did not let `perf` look.', ''];
  const names = [...new Set(looked.flatMap((work) => profiles[work]?.parts.map(({ name }) => name) ?? []))];
  const shareOf = (work: Work, name: string) => profiles[work]?.parts.find((part) => part.name === name)?.share ?? 0;
  const row = (name: string, cell: (work: Work) => string) => `| ${name} | ${looked.map(cell).join(' | ')} |`;
  const busy = (work: Work) => own.works[work].summary.cpuS / own.works[work].summary.wallS;
  return [
    'Shares of the CPU time of one more run of each, by `perf` (a sampling clock, so more slowly than measured); and how many of the cores were busy in the measured ones: the rest of their time they waited for the disk, most of it for the last sync.',
    '',
    row('', (work) => workTitles[work]),
    `|---|${looked.map(() => '--:').join('|')}|`,
    row(`cores busy, of ${machine.cores}`, (work) => busy(work).toFixed(2)),
    ...names.map((name) => row(name, (work) => `${(shareOf(work, name) * 100).toFixed(0)} %`)),
    '',
  ];
}

function noise(result: VaultResult): string {
  const shares = result.contenders.flatMap((each) => works.map((work) => each.works[work].summary.foreignShare));
  const percent = `${Math.round(Math.max(...shares) * 100)} %`;
  if (!result.isNoisy) return `A quiet run: others used at most ${percent} of the machine during any command.\n`;
  return `**Not a quiet run**: others used up to ${percent} of the machine (more than ${NOISY_SHARE * 100} %); not to be kept.\n`;
}

function workTable(result: VaultResult, work: Work): string[] {
  const own = result.contenders.find((each) => each.name === 'holdfast')?.works[work];
  const rows = result.contenders.map(({ name, works: { [work]: each } }) => {
    const ratio =
      own === undefined || name === 'holdfast' ? '' : `${(own.summary.wallS / each.summary.wallS).toFixed(2)} ×`;
    return `| ${name} | ${figures(each)} | ${ratio} |`;
  });
  const head = '| | wall s | CPU s (user) | peak RSS MB | stored MB | Holdfast takes |';
  return [`## ${workTitles[work]}`, '', head, '|---|--:|--:|--:|--:|--:|', ...rows, ''];
}

export function figures({ summary, storedBytes }: Pick<WorkResult, 'summary' | 'storedBytes'>): string {
  const [least, greatest] = summary.wallSpreadS.map((wall) => wall.toFixed(2));
  const wall = `${summary.wallS.toFixed(2)} (${least}–${greatest})`;
  const cpu = `${summary.cpuS.toFixed(1)} (${summary.userS.toFixed(1)})`;
  return `${wall} | ${cpu} | ${Math.round(summary.peakRssBytes / 1e6)} | ${(storedBytes / 1e6).toFixed(1)}`;
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(2);
}
