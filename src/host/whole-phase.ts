// How far a restore is that works in several roots: judged by all of them together, because a word to it is a word to all.

import type { Phase } from '../files/index.ts';

/** From what is least far to what is most. */
const FORWARDS = ['preparing', 'exchanging', 'exchanged'] as const;

export function isAccepted(phase: Phase | undefined): boolean {
  return phase === 'confirming' || phase === 'confirmed';
}

export function isGivenUp(phase: Phase | undefined): boolean {
  return phase === 'rolling back' || phase === 'rolled back';
}

/** Done in a root, so that the whole can be accepted. */
export function isDone(phase: Phase | undefined): boolean {
  return phase === 'exchanged' || isAccepted(phase);
}

/** Of one root at least. What is accepted in one cannot be brought back in another without a mixture; what is given up in one can only be given up. */
export function wholePhase(phases: readonly Phase[]): Phase {
  const open = phases.filter((phase) => phase !== 'confirmed' && phase !== 'rolled back');
  if (open.length === 0) return phases.at(-1) ?? 'preparing';
  if (phases.some(isGivenUp)) return 'rolling back';
  if (phases.some(isAccepted)) return phases.every(isDone) ? 'confirming' : 'rolling back';
  return FORWARDS.find((phase) => phases.includes(phase)) ?? 'preparing';
}
