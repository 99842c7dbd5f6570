// Holdfast alone on more and more of the same: its time grows with the data and no faster, its memory not at all.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { planCorpus } from '../corpus/plan.ts';
import { writeCorpus } from '../corpus/write.ts';
import { goalTable, type Verdict, verdict } from '../lib/goals.ts';
import { describeCommit, describeMachine, type Machine } from '../lib/machine.ts';
import { type Measurement, measure } from '../lib/measure.ts';
import { ensurePeers } from '../lib/peers.ts';
import { settle } from '../lib/quiet.ts';
import { machineLines, noiseLine } from '../lib/report.ts';
import { inRounds } from '../lib/rounds.ts';
import { NOISY_SHARE, type Summary, summarize } from '../lib/statistics.ts';
import { requireSameTree } from '../lib/trees.ts';
import { makeWorkDirectory } from '../lib/work-directory.ts';
import { type Contender, type Place, type Work, workTitles } from './contender.ts';
import { holdfast } from './contenders/holdfast.ts';
import type { BenchOptions } from './options.ts';

const factors = [1, 4, 16];
const grown = ['first', 'unchanged', 'restore', 'check'] as const satisfies readonly Work[];
type Grown = (typeof grown)[number];
/** Caches lose their grip as data grows; more than this is not a cache. */
const TIME = 1.25;
const MEMORY = 1.25;

export interface GrowthResult {
  readonly bench: 'vault-growth';
  readonly at: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly isNoisy: boolean;
  readonly steps: readonly GrowthStep[];
}

interface GrowthStep {
  readonly factor: number;
  readonly files: number;
  readonly sizeBytes: number;
  readonly works: Readonly<Record<Grown, Summary>>;
}

export async function runGrowth(options: BenchOptions): Promise<GrowthResult> {
  const python = ensurePeers().python.argv[0] as string;
  const commit = await describeCommit();
  const contender = await holdfast();
  const largest = planCorpus(options.seed, options.scale * (factors.at(-1) as number)).sizeBytes;
  const work = await makeWorkDirectory(options.work, largest * 3);
  const steps: GrowthStep[] = [];
  for (const factor of factors) steps.push(await runStep(options, python, contender, work, factor));
  const isNoisy = steps.some((step) => grown.some((each) => step.works[each].foreignShare > NOISY_SHARE));
  return { bench: 'vault-growth', at: new Date().toISOString(), commit, machine: describeMachine(), isNoisy, steps };
}

async function runStep(
  options: BenchOptions,
  python: string,
  contender: Contender,
  work: string,
  factor: number,
): Promise<GrowthStep> {
  const plan = planCorpus(options.seed, options.scale * factor);
  const folder = path.join(work, `${factor}`);
  const source = path.join(folder, 'source');
  options.say(`writing ${plan.files.length} files, ${(plan.sizeBytes / 1e9).toFixed(2)} GB, to ${source}`);
  writeCorpus(plan, source);
  const taken: Record<Grown, Measurement[]> = { first: [], unchanged: [], restore: [], check: [] };
  const doRound = async (round: number) => {
    const place = await makePlace(contender, source, path.join(folder, `round-${round}`));
    for (const each of grown) {
      await settle(python, 2 * plan.sizeBytes);
      const measured = await measure(python, contender.command(each, place));
      taken[each].push(measured);
      options.say(`${factor} ×  ${each.padEnd(9)}  ${measured.wallS.toFixed(2)} s`);
    }
    await requireSameTree(source, place.target);
    await rm(path.dirname(place.target), { recursive: true });
  };
  const { cores } = describeMachine();
  await inRounds(options.rounds, cores, doRound, () => Object.values(taken));
  await rm(folder, { recursive: true });
  const of = (each: Grown) => summarize(taken[each], cores, options.rounds);
  const summaries = { first: of('first'), unchanged: of('unchanged'), restore: of('restore'), check: of('check') };
  return { factor, files: plan.files.length, sizeBytes: plan.sizeBytes, works: summaries };
}

async function makePlace(contender: Contender, source: string, folder: string): Promise<Place> {
  const of = (part: string) => path.join(folder, part);
  const place = { source, repository: of('repository'), home: of('home'), target: of('target') };
  for (const directory of [place.repository, place.home, place.target]) await mkdir(directory, { recursive: true });
  await contender.prepare(place);
  return place;
}

export function judgeGrowth({ steps }: GrowthResult): Verdict[] {
  const base = steps[0] as GrowthStep;
  return steps.slice(1).flatMap((step) =>
    grown.flatMap((work) => {
      const [small, large] = [base.works[work], step.works[work]];
      const perByte = large.wallS / step.sizeBytes / (small.wallS / base.sizeBytes);
      const title = `${step.factor} ×, ${workTitles[work]}`;
      return [
        verdict(`${title}: time per byte, to 1 ×`, perByte, TIME, '×'),
        verdict(`${title}: peak memory, to 1 ×`, large.peakRssBytes / small.peakRssBytes, MEMORY, '×'),
      ];
    }),
  );
}

export function renderGrowth(result: GrowthResult): string {
  const rows = result.steps.flatMap((step) =>
    grown.map((work) => {
      const { wallS, cpuS, peakRssBytes } = step.works[work];
      const perGigabyte = (wallS / (step.sizeBytes / 1e9)).toFixed(2);
      const size = `${(step.sizeBytes / 1e9).toFixed(1)} GB, ${step.files} files`;
      return `| ${step.factor} × (${size}) | ${workTitles[work]} | ${wallS.toFixed(1)} | ${perGigabyte} | ${cpuS.toFixed(1)} | ${Math.round(peakRssBytes / 1e6)} |`;
    }),
  );
  return [
    `# The vault as data grows, ${result.at.slice(0, 10)}`,
    '',
    noiseLine(result.steps.flatMap((step) => grown.map((each) => step.works[each]))),
    ...machineLines(result.machine, result.commit),
    '',
    '| data | work | wall s | s per GB | CPU s | peak RSS MB |',
    '|---|---|--:|--:|--:|--:|',
    ...rows,
    '',
    ...goalTable(judgeGrowth(result)),
  ].join('\n');
}
