// The ends of a restore of files in place, by the journals in its roots; a stumbling store must not keep anybody from going back.

import type { ComponentId } from '../domain/component.ts';
import { requireWayBack } from '../domain/end-refused.ts';
import { fail, HoldfastError, toHoldfastError } from '../errors/index.ts';
import {
  beginRollback,
  confirmInPlace,
  type EndResult,
  type Phase,
  type RunInPlace,
  rollbackInPlace,
  runsInPlace,
  undoBeside,
  type WholeRestore,
} from '../files/index.ts';
import { type FilesRestoring, storedFilesPlan } from './restore-files.ts';
import { type GuardedPlace, leased } from './restore-guard.ts';
import { treesOn } from './trees.ts';
import { isAccepted, isDone, isGivenUp } from './whole-phase.ts';

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

/** Throws `NOT_FOUND` for a run that has nothing in any root, before anything is touched `JOURNAL_STATE` for one that is accepted in some of them and only has to be in the others, and as `rollbackInPlace`. */
export async function rollbackFiles(
  services: FilesRestoring,
  component: ComponentId,
  run: string,
  owner = `rollback of ${run}`,
): Promise<EndedFiles> {
  const roots = await requireRoots(services, component, run);
  const phases = [...(await phasesIn(roots.begun, run)).values()];
  if (roots.missing.length === 0 && phases.every(isAccepted)) {
    const isOver = phases.every((phase) => phase === 'confirmed');
    requireWayBack({ run, component, phase: isOver ? 'confirmed' : 'confirming' });
  }
  return await rollbackAll(services, roots, run, owner);
}

/**
 * Throws `NOT_FOUND` for a run that has nothing in any root, before anything is removed `JOURNAL_STATE` when not all of its roots are done, and what the
 * store says when that cannot be known, and as `confirmInPlace`.
 */
export async function confirmFiles(services: FilesRestoring, component: ComponentId, run: string): Promise<EndedFiles> {
  const { begun, missing, unseen, unread } = await requireRoots(services, component, run);
  if (unread !== undefined) throw notKnownToBeDone(run, unread);
  const [first] = unseen;
  if (first !== undefined) throw first;
  const phases = await phasesIn(begun, run);
  const undone = missing.map((root) => `'${root}' was not begun`);
  for (const [root, phase] of phases) if (!isDone(phase)) undone.push(`'${root}' is ${phase ?? 'not known'}`);
  if (missing.length === 0 && [...phases.values()].every((phase) => phase === 'rolled back')) {
    fail('JOURNAL_STATE', `'${run}' is rolled back in ${begun.join(', ')}: there is nothing to confirm`, {
      hint: `what was there before is in place, and needs no word; \`holdfast list ${component}\` shows what another restore can give`,
    });
  }
  if (undone.length > 0) {
    const accepted = begun.filter((root) => isAccepted(phases.get(root)));
    fail('JOURNAL_STATE', `'${run}' is not done in all of its roots: ${undone.join(', ')}`, {
      hint: accepted.length === 0 ? wayBack(run) : wayOutOfMixture(run, accepted),
    });
  }
  return await eachRoot(services, inOrder(begun), run, `confirm of ${run}`, false, confirmInPlace);
}

/** Of whichever end: the first root is where two that are asked for at the same instant meet, and one of them is refused. */
function inOrder(roots: readonly string[]): readonly string[] {
  return [...roots].sort();
}

function wayBack(run: string): string {
  return `\`holdfast rollback ${run}\` brings back what was there in all of them`;
}

/** Where an end in one root was followed by the other end in another one. */
function wayOutOfMixture(run: string, accepted: readonly string[]): string {
  return `what was kept in ${accepted.join(', ')} is gone: \`holdfast rollback ${run}\` ends it in the others, and another restore makes one state of all of them`;
}

async function phasesIn(roots: readonly string[], run: string): Promise<ReadonlyMap<string, Phase | undefined>> {
  const phases = new Map<string, Phase | undefined>();
  for (const root of roots) phases.set(root, (await runsInPlace(root)).get(run)?.phase);
  return phases;
}

/** What is removed is gone: a root that was never begun would have no way back out of the mixture. */
function notKnownToBeDone(run: string, unread: HoldfastError): HoldfastError {
  if (unread.code !== 'NOT_FOUND') return unread;
  return new HoldfastError('JOURNAL_STATE', `in which roots '${run}' was to be done is not known: ${unread.message}`, {
    hint: `\`holdfast rollback ${run}\` brings back what was there; nothing was removed`,
    cause: unread,
  });
}

/** All that can be; throws afterwards when there is a root that nobody can look into. */
async function rollbackAll(services: FilesRestoring, roots: RunRoots, run: string, owner: string): Promise<EndedFiles> {
  const { begun, unseen } = roots;
  const phases = await phasesIn(begun, run);
  const accepted = begun.filter((root) => isAccepted(phases.get(root)));
  const others = begun.filter((root) => !accepted.includes(root));
  const isMixed = accepted.length > 0 && others.length > 0;
  if (isMixed) requireNoConfirm(roots, phases, run, accepted);
  const back = inOrder(isMixed ? others : begun);
  await beginInFirst(services, back, run, owner);
  const ended = await eachRoot(services, [...back].reverse(), run, owner, true, rollbackInPlace);
  const [first] = unseen;
  if (first !== undefined) throw first;
  if (isMixed) {
    const message = `'${run}' is confirmed in ${accepted.join(', ')}, and rolled back in ${others.join(', ')}`;
    fail('JOURNAL_STATE', message, { hint: wayOutOfMixture(run, accepted) });
  }
  return ended;
}

/** A confirmation begins there: what was looked at before is not how it is by now. */
async function beginInFirst(
  services: FilesRestoring,
  [first, ...others]: readonly string[],
  run: string,
  owner: string,
): Promise<void> {
  if (first === undefined || others.length === 0) return;
  await leased(services, await placeIn(first, run, owner, true), (guard) =>
    beginRollback({ root: first, run, guard: { ...guard, waitMs: ZOMBIE_LEAVES_MS } }),
  );
}

/** What is accepted in one root does not come back: as long as the others can be accepted as well, or nobody knows it, none of them goes back. */
function requireNoConfirm(
  { missing, unseen, unread }: RunRoots,
  phases: ReadonlyMap<string, Phase | undefined>,
  run: string,
  accepted: readonly string[],
): void {
  if ([...phases.values()].some(isGivenUp)) return;
  const [first] = unseen;
  if (first !== undefined) throw first;
  if (unread !== undefined && unread.code !== 'NOT_FOUND') throw unread;
  const canBeAccepted = unread === undefined && missing.length === 0 && [...phases.values()].every(isDone);
  if (!canBeAccepted) return;
  fail('JOURNAL_STATE', `'${run}' is confirmed in ${accepted.join(', ')}: what was there before is gone`, {
    hint: `\`holdfast confirm ${run}\` ends it in all of its roots; nothing was touched`,
  });
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
  await rollbackAll(services, await rootsOf(services, component, run), run, run);
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
  /** Those that it was to be done in, and has not begun. */
  readonly missing: readonly string[];
  /** Those where it may have begun, and nobody can look. */
  readonly unseen: readonly HoldfastError[];
  /** Why it is not known which ones it was to be done in; then nothing is known to be missing. */
  readonly unread?: HoldfastError;
}

async function requireRoots(services: FilesRestoring, component: ComponentId, run: string): Promise<RunRoots> {
  const roots = await rootsOf(services, component, run);
  if (roots.begun.length > 0) return roots;
  const [unseen] = roots.unseen;
  if (unseen !== undefined) throw unseen;
  const { unread } = roots;
  if (unread !== undefined && unread.code !== 'NOT_FOUND') throw unread;
  return fail('NOT_FOUND', `'${run}' has nothing in the roots of '${component}'`, { hint: 'see `holdfast history`' });
}

/** Of today's roots, and of those that its journals tell, or its plan. What another component has in the same directories is none of it. */
async function rootsOf(services: FilesRestoring, component: ComponentId, run: string): Promise<RunRoots> {
  const { places, unseen } = await treesOn(services, component).places();
  const looked = new Map<string, RunInPlace | HoldfastError | undefined>();
  const look = async (roots: readonly string[]) => {
    for (const root of roots) if (!looked.has(root)) looked.set(root, await runIn(root, component, run));
  };
  await look(places);
  const inJournals = [...looked.values()].flatMap((found) => wholeOf(found)?.roots ?? []);
  const planned = inJournals.length > 0 ? inJournals : await plannedRoots(services, component, run);
  const whole = planned instanceof HoldfastError ? undefined : planned;
  await look(whole ?? []);
  const begun: string[] = [];
  const missing: string[] = [];
  const notSeen: HoldfastError[] = whole === undefined ? [...unseen] : [];
  for (const [root, found] of looked) {
    const isPlanned = whole?.includes(root);
    if (found instanceof HoldfastError) {
      if (isPlanned !== false) notSeen.push(found);
    } else if (found !== undefined) begun.push(root);
    else if (isPlanned) missing.push(root);
  }
  return { begun, missing, unseen: notSeen, ...(planned instanceof HoldfastError && { unread: planned }) };
}

async function runIn(
  root: string,
  component: ComponentId,
  run: string,
): Promise<RunInPlace | HoldfastError | undefined> {
  try {
    const found = (await runsInPlace(root)).get(run);
    const isOfAnother = found?.restore !== undefined && found.restore.component !== component;
    return isOfAnother ? undefined : found;
  } catch (error) {
    return toHoldfastError(error);
  }
}

function wholeOf(found: RunInPlace | HoldfastError | undefined): WholeRestore | undefined {
  return found instanceof HoldfastError ? undefined : found?.restore;
}

/** Where its journals do not tell. Throws `PLAN_CHANGED` for a run of another component. */
async function plannedRoots(
  services: FilesRestoring,
  component: ComponentId,
  run: string,
): Promise<readonly string[] | HoldfastError> {
  const planned = await storedFilesPlan(services, run).catch((error: unknown) => toHoldfastError(error));
  if (planned instanceof HoldfastError) return planned;
  if (planned.component === component) return planned.roots;
  return fail('PLAN_CHANGED', `'${run}' is a restore of '${planned.component}', not of '${component}'`);
}
