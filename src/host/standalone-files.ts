// A restore of files in place, ended by the journals in its roots: found, finished, undone or accepted.

import type { FilesSettings, HostConfigurationSettings } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { fail, HoldfastError, toHoldfastError } from '../errors/index.ts';
import { type Phase, type RunInPlace, runsInPlace, type WholeRestore } from '../files/index.ts';
import { confirmFiles, confirmFilesWords, rollbackFiles, rollbackFilesWords } from './end-files.ts';
import { compareFiles, type FilesRestoring, loadFilesPlan, storedFilesPlan, writeFiles } from './restore-files.ts';
import type { Found, JournaledKind } from './standalone-kind.ts';
import { type TreesSettings, treesOf } from './trees.ts';
import { wholePhase } from './whole-phase.ts';

const asFiles: Omit<JournaledKind<TreesSettings>, 'journals'> = {
  operation: 'restoreFiles',
  async find(settings, services) {
    const { id } = settings;
    const runs = new Map<string, InRoot[]>();
    const { places, unseen } = await treesOf(settings).places();
    const notSeen = [...unseen];
    // Also roots that the configuration has no more, by the journals of the others.
    const roots = new Set(places);
    for (const root of roots) {
      const inRoot = await runsInPlace(root).catch((error: unknown) => toHoldfastError(error));
      if (inRoot instanceof HoldfastError) {
        notSeen.push(inRoot);
        continue;
      }
      for (const [run, each] of inRoot) {
        if (!(await isOf(services, id, run, each.restore))) continue;
        runs.set(run, [...(runs.get(run) ?? []), { ...each, root }]);
        for (const other of each.restore?.roots ?? []) roots.add(other);
      }
    }
    // What can be seen can be ended: what its other roots are, its journal tells.
    const [first] = notSeen;
    if (first !== undefined && runs.size === 0) throw first;
    const found = [...runs].map(([run, roots]) => foundAs(run, id, roots));
    return found.sort((a, b) => (a.at < b.at ? -1 : 1));
  },
  async rollback(services, { id }, { run }, owner) {
    return { message: rollbackFilesWords(run, await rollbackFiles(services, id, run, owner)) };
  },
  async confirm(services, { id }, { run }) {
    return { message: confirmFilesWords(run, await confirmFiles(services, id, run)) };
  },
  async resume(services, { id: component }, { run }) {
    const plan = await loadFilesPlan(services, { run, component });
    if (plan.directory !== undefined) fail('JOURNAL_STATE', `'${run}' is a restore beside: start it again`);
    const onNote = (words: string) => services.onStep?.(words);
    const { signal } = new AbortController();
    const written = await writeFiles(services, plan, { signal, onNote });
    onNote('comparing what is there with the snapshot');
    const compared = await compareFiles(services, plan, { signal });
    return {
      message: `${component} as of ${plan.snapshot.to} is in place; what was there is kept until \`holdfast confirm ${run}\``,
      data: { filesPlan: plan, written, compared },
    };
  },
};

export const standaloneFiles: JournaledKind<FilesSettings> = {
  ...asFiles,
  journals: ({ roots }) => roots.map((root) => `'${root}/.holdfast'`),
};

/** Of a path that is one file the journal is in its directory. */
export const standaloneConfiguration: JournaledKind<HostConfigurationSettings> = {
  ...asFiles,
  journals: ({ paths }) => paths.map((each) => `'.holdfast' of '${each}' or its directory`),
};

/** Several components may work in one directory. A run whose journal names none is that of its plan, where it can be read. */
async function isOf(
  services: FilesRestoring,
  component: ComponentId,
  run: string,
  restore: WholeRestore | undefined,
): Promise<boolean> {
  if (restore !== undefined) return restore.component === component;
  const planned = await storedFilesPlan(services, run).catch(() => undefined);
  return planned === undefined || planned.component === component;
}

type InRoot = RunInPlace & { readonly root: string };

/** Of several roots all together tell what is to be done. */
function foundAs(run: string, component: ComponentId, roots: readonly InRoot[]): Found {
  const phase = wholePhase(roots.map((each) => each.phase));
  const { root, at } = (roots.find((each) => each.phase === phase) ?? roots.at(-1)) as InRoot;
  const found = { run, component, dataDirectory: root, phase: phaseOf(phase), lastStep: phase, at };
  const isOver = phase === 'confirmed' || phase === 'rolled back';
  return isOver && roots.some((each) => !each.isCleared) ? { ...found, isUncleared: true } : found;
}

function phaseOf(phase: Phase): Found['phase'] {
  if (phase === 'exchanging') return 'swapping';
  return phase === 'exchanged' ? 'swapped' : phase;
}
