// A run's result as a page for people: a table for each piece of work, the goals, and everything needed to repeat it.

import { goalTable } from '../lib/goals.ts';
import { contenderSections, figures, gigabytes, machineLines, noiseLine, profileTable } from '../lib/report.ts';
import type { Summary } from '../lib/statistics.ts';
import { type Work, works, workTitles } from './contender.ts';
import { judge } from './goals.ts';
import type { VaultResult } from './result.ts';

export function renderVault(result: VaultResult): string {
  const { corpus, contenders } = result;
  return [
    `# Vault beside its peers, ${result.at.slice(0, 10)}`,
    '',
    noiseLine(summariesOf(result), result.isNoisy),
    `${gigabytes(corpus.sizeBytes)} GB in ${corpus.files} files (seed ${corpus.seed}, scale ${corpus.scale}); medians of at least ${result.rounds} rounds in turn, least and greatest in brackets; memory is the greatest of all rounds. "Some changed": 1 % of the files, and 1 MB inserted into the front of the largest. Every restored tree was compared with the original. Only ratios within this page say anything.`,
    '',
    ...machineLines(result.machine, result.commit),
    '',
    ...works.flatMap((work) => workTable(result, work)),
    '## Goals',
    '',
    ...goalTable(judge(result)),
    '## Where the time of Holdfast goes',
    '',
    ...profiles(result),
    ...contenderSections(contenders, works, ({ syncs }) => ` ${syncs} syncs in a first backup.`),
  ].join('\n');
}

function summariesOf({ contenders }: VaultResult): Summary[] {
  return contenders.flatMap((each) => works.map((work) => each.works[work].summary));
}

function profiles({ profiles, contenders, machine }: VaultResult): string[] {
  const own = contenders.find((each) => each.name === 'holdfast');
  const looked = works.flatMap((work) =>
    own === undefined ? [] : [{ title: workTitles[work], profile: profiles[work], summary: own.works[work].summary }],
  );
  return profileTable(looked, machine.cores);
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
