// The ends of a restore of files in place, by the journals in its roots; a stumbling store must not keep anybody from going back.

import type { ComponentId } from '../domain/component.ts';
import { fail, HoldfastError, toHoldfastError } from '../errors/index.ts';
import {
  confirmInPlace,
  type EndResult,
  type Phase,
  rollbackInPlace,
  runsInPlace,
  undoBeside,
} from '../files/index.ts';
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
  const { begun } = await requireRoots(services, component, run);
  return await eachRoot(services, [...begun].reverse(), run, owner, true, rollbackInPlace);
}

/**
 * Throws `NOT_FOUND` for a run that has nothing in any root, `JOURNAL_STATE` before anything is removed when not all of its roots are done, and as
 * `confirmInPlace`.
 */
export async function confirmFiles(services: FilesRestoring, component: ComponentId, run: string): Promise<EndedFiles> {
  const { begun, missing } = await requireRoots(services, component, run);
  const undone = missing.map((root) => `'${root}' was not begun`);
  for (const root of begun) {
    const phase = (await runsInPlace(root)).get(run)?.phase;
    if (!isDone(phase)) undone.push(`'${root}' is ${phase ?? 'not known'}`);
  }
  if (undone.length > 0) {
    fail('JOURNAL_STATE', `'${run}' is not done in all of its roots: ${undone.join(', ')}`, {
      hint: `\`holdfast rollback ${run}\` brings back what was there in all of them`,
    });
  }
  return await eachRoot(services, begun, run, `confirm of ${run}`, false, confirmInPlace);
}

function isDone(phase: Phase | undefined): boolean {
  return phase === 'exchanged' || phase === 'confirming' || phase === 'confirmed';
}

export interface BegunFiles {
  readonly component: ComponentId;
  readonly run: string;
  /** Absent: in place. */
  readonly directory?: string;
}

/** As it was before, whatever was done, and nothing where nothing was: by the mark beside, or the journals in place, and no store is needed. */
export async function undoFiles(services: FilesRestoring, { component, run, directory }: BegunFiles): Promise<void> {
  if (directory !== undefined) {
    await leased(services, placeOf(directory, run, run, true), () => undoBeside(directory, run));
    return;
  }
  const { begun } = await rootsOf(services, component, run);
  await eachRoot(services, [...begun].reverse(), run, run, true, rollbackInPlace);
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

interface RunRoots {
  /** Those in which the run has left something. */
  readonly begun: readonly string[];
  /** Those of its plan in which it has not. */
  readonly missing: readonly string[];
  /** Why the plan could not be read; then nothing is known to be missing. */
  readonly unread?: HoldfastError;
}

async function requireRoots(services: FilesRestoring, component: ComponentId, run: string): Promise<RunRoots> {
  const roots = await rootsOf(services, component, run);
  if (roots.begun.length > 0) return roots;
  const { unread } = roots;
  if (unread !== undefined && unread.code !== 'NOT_FOUND') throw unread;
  return fail('NOT_FOUND', `'${run}' has nothing in the roots of '${component}'`, { hint: 'see `holdfast history`' });
}

/** Of today's roots, and of those of its plan, where that can be read. */
async function rootsOf(services: FilesRestoring, component: ComponentId, run: string): Promise<RunRoots> {
  const roots = await treesOn(services, component).places();
  const planned = await storedFilesPlan(services, run).catch((error: unknown) => toHoldfastError(error));
  const ofPlan = planned instanceof HoldfastError ? [] : planned.roots;
  const begun: string[] = [];
  const missing: string[] = [];
  for (const root of new Set([...roots, ...ofPlan])) {
    if ((await runsInPlace(root)).has(run)) begun.push(root);
    else if (ofPlan.includes(root)) missing.push(root);
  }
  return { begun, missing, ...(planned instanceof HoldfastError && { unread: planned }) };
}
