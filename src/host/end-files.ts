// The ends of a restore of files in place, by the journals in its roots; a stumbling store must not keep anybody from going back.

import type { ComponentId } from '../domain/component.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import { confirmInPlace, type EndResult, rollbackInPlace, runsInPlace, undoBeside } from '../files/index.ts';
import { type FilesRestoring, storedFilesPlan } from './restore-files.ts';
import { type GuardedPlace, leased } from './restore-guard.ts';
import { treesOn } from './trees.ts';

/** An attempt that was given up learns of it with the next renewal of its lease, and needs a while to leave. */
export const ZOMBIE_LEAVES_MS = 120_000;

export async function placeIn(root: string, run: string, owner: string, undo: boolean): Promise<GuardedPlace> {
  return { ...placeOf(root, run, owner, undo), above: (await runsInPlace(root)).get(run)?.token ?? 0 };
}

export function placeOf(dataDirectory: string, run: string, owner: string, undo: boolean): GuardedPlace {
  return { dataDirectory, run, owner, undo };
}

export interface EndedFiles {
  readonly roots: readonly string[];
  /** What others wrote into what came in, and where it is. */
  readonly written: readonly string[];
}

/** Throws `NOT_FOUND` for a run that has nothing in any root, and as `rollbackInPlace`. */
export async function rollbackFiles(
  services: FilesRestoring,
  component: ComponentId,
  run: string,
  owner = `rollback of ${run}`,
): Promise<EndedFiles> {
  const roots = await requireRoots(services, component, run);
  return await eachRoot(services, [...roots].reverse(), run, owner, true, rollbackInPlace);
}

/** Throws `NOT_FOUND` for a run that has nothing in any root, and as `confirmInPlace`. */
export async function confirmFiles(services: FilesRestoring, component: ComponentId, run: string): Promise<EndedFiles> {
  const roots = await requireRoots(services, component, run);
  return await eachRoot(services, roots, run, `confirm of ${run}`, false, confirmInPlace);
}

/** As it was before, whatever was done, and nothing where nothing was. */
export async function undoFiles(services: FilesRestoring, component: ComponentId, run: string): Promise<void> {
  const { directory } = await storedFilesPlan(services, run);
  if (directory !== undefined) {
    await leased(services, placeOf(directory, run, run, true), () => undoBeside(directory, run));
    return;
  }
  const roots = await rootsOf(services, component, run);
  await eachRoot(services, [...roots].reverse(), run, run, true, rollbackInPlace);
}

export function rollbackFilesWords(run: string, { roots, written }: EndedFiles): string {
  const aside = written.length === 0 ? '' : `; what was written since is in ${written.join(', ')}`;
  return `what was there before ${run} is back in ${roots.join(', ')}${aside}`;
}

export function confirmFilesWords(run: string, { roots }: EndedFiles): string {
  return `${run} is confirmed: what was kept in ${roots.join(', ')} was removed`;
}

async function eachRoot(
  services: FilesRestoring,
  roots: readonly string[],
  run: string,
  owner: string,
  undo: boolean,
  end: typeof rollbackInPlace,
): Promise<EndedFiles> {
  const written: string[] = [];
  for (const root of roots) {
    const ended: EndResult = await leased(services, await placeIn(root, run, owner, undo), (guard) =>
      end({ root, run, guard: { ...guard, waitMs: ZOMBIE_LEAVES_MS } }),
    );
    if (ended.written !== undefined) written.push(ended.written.directory);
  }
  return { roots, written };
}

async function requireRoots(services: FilesRestoring, component: ComponentId, run: string): Promise<readonly string[]> {
  const roots = await rootsOf(services, component, run);
  if (roots.length > 0) return roots;
  return fail('NOT_FOUND', `'${run}' has nothing in the roots of '${component}'`, { hint: 'see `holdfast history`' });
}

/** Those in which the run has left something: of today's roots, and of those of its plan, where that can be read. */
async function rootsOf(services: FilesRestoring, component: ComponentId, run: string): Promise<readonly string[]> {
  const roots = await treesOn(services, component).places();
  const planned = await storedFilesPlan(services, run).catch((error: unknown) => {
    if (isHoldfastError(error)) return { roots: [] };
    throw error;
  });
  const found: string[] = [];
  for (const root of new Set([...roots, ...planned.roots])) if ((await runsInPlace(root)).has(run)) found.push(root);
  return found;
}
