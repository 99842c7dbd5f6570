// What every page says in the same words: the machine, how quiet it was, figures of a piece of work, and where its time goes.

import type { Machine } from './machine.ts';
import type { Profile } from './profile.ts';
import { NOISY_SHARE, type Summary } from './statistics.ts';

export function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(2);
}

export function machineLines({ cores, processor, memoryBytes, kernel }: Machine, commit: string): string[] {
  return [`${cores} cores (${processor}), ${gigabytes(memoryBytes)} GB of memory, ${kernel}; commit ${commit}.`];
}

/** Of everything that was measured. */
export function noiseLine(summaries: readonly Pick<Summary, 'foreignShare' | 'setAside'>[], isNoisy = false): string {
  const share = Math.max(0, ...summaries.map(({ foreignShare }) => foreignShare));
  const percent = `${Math.round(share * 100)} %`;
  const limit = `${NOISY_SHARE * 100} %`;
  if (isNoisy || share > NOISY_SHARE) {
    return `**Not a quiet run**: others used up to ${percent} of the machine (more than ${limit}); not to be kept.\n`;
  }
  const aside = summaries.reduce((sum, { setAside }) => sum + setAside, 0);
  const more =
    aside === 0
      ? ''
      : ` ${aside} measurements in which others used more than ${limit} do not count; more rounds took their place.`;
  return `A quiet run: others used at most ${percent} of the machine during any command that counts.${more}\n`;
}

/** As `8.09 (7.63–8.95)`. */
export function withSpread(seconds: number, [least, greatest]: readonly [number, number]): string {
  return `${seconds.toFixed(2)} (${least.toFixed(2)}–${greatest.toFixed(2)})`;
}

/** Cells of a table: wall time, CPU time, memory, stored bytes. */
export function figures({ summary, storedBytes }: { readonly summary: Summary; readonly storedBytes: number }): string {
  const cpu = `${summary.cpuS.toFixed(1)} (${summary.userS.toFixed(1)})`;
  const megabytes = `${Math.round(summary.peakRssBytes / 1e6)} | ${(storedBytes / 1e6).toFixed(1)}`;
  return `${withSpread(summary.wallS, summary.wallSpreadS)} | ${cpu} | ${megabytes}`;
}

export interface Profiled {
  readonly title: string;
  readonly profile: Profile | undefined;
  /** Of the measured ones; absent where it was not measured by itself. */
  readonly summary: Summary | undefined;
}

export function profileTable(works: readonly Profiled[], cores: number): string[] {
  const looked = works.flatMap(({ profile, ...rest }) => (profile === undefined ? [] : [{ ...rest, profile }]));
  if (looked.length === 0) return ['No profile: the kernel did not let `perf` look.', ''];
  const names = [...new Set(looked.flatMap(({ profile }) => profile.parts.map(({ name }) => name)))];
  const shareOf = ({ profile }: (typeof looked)[number], name: string) =>
    profile.parts.find((part) => part.name === name)?.share ?? 0;
  const row = (name: string, cell: (work: (typeof looked)[number]) => string) =>
    `| ${name} | ${looked.map(cell).join(' | ')} |`;
  return [
    'Shares of the CPU time of one more run of each, by `perf` (a sampling clock, so more slowly than measured); and how many of the cores were busy in the measured ones: the rest of their time they waited for the disk, most of it for the last sync.',
    '',
    row('', ({ title }) => title),
    `|---|${looked.map(() => '--:').join('|')}|`,
    row(`cores busy, of ${cores}`, ({ summary }) =>
      summary === undefined ? '' : (summary.cpuS / summary.wallS).toFixed(2),
    ),
    ...names.map((name) => row(name, (work) => `${(shareOf(work, name) * 100).toFixed(0)} %`)),
    '',
  ];
}

/** What the steps of each column take, by the clock. `title`: of the column. */
export function stepTable(
  words: string,
  columns: readonly { readonly title: string; readonly steps: Readonly<Record<string, number>> | undefined }[],
): string[] {
  const told = columns.flatMap(({ title, steps }) => (steps === undefined ? [] : [{ title, steps }]));
  const names = Object.keys(told[0]?.steps ?? {});
  if (names.length === 0) return [];
  const row = (name: string) =>
    `| ${name} | ${told.map(({ steps }) => ((steps[name] ?? 0) / 1000).toFixed(2)).join(' | ')} |`;
  const head = [`| | ${told.map(({ title }) => title).join(' | ')} |`, `|---|${told.map(() => '--:').join('|')}|`];
  return [words, '', ...head, ...names.map(row), ''];
}

interface Told {
  readonly name: string;
  readonly version: string;
  readonly options: string;
  readonly works: Readonly<Partial<Record<string, { readonly command: string }>>>;
}

/** Everything needed to repeat it: who took part, and every command. `more`: what else is said of one. */
export function contenderSections<One extends Told>(
  contenders: readonly One[],
  works: readonly string[],
  more: (contender: One) => string = () => '',
): string[] {
  const width = Math.max(...works.map((work) => work.length));
  const commands = ({ works: done }: One) =>
    works.flatMap((work) => {
      const found = done[work];
      return found === undefined ? [] : [`${work.padEnd(width)}  ${found.command}`];
    });
  return [
    '## Contenders',
    '',
    ...contenders.map((each) => `- **${each.name}** ${each.version}: ${each.options}.${more(each)}`),
    '',
    '## Commands',
    '',
    ...contenders.flatMap((each) => [`${each.name}:`, '```', ...commands(each), '```']),
    '',
  ];
}
