// The facts of one database as a check of a restore: one verdict in words, the worst of all comparisons.

import type { FactVerdict, RecoveryCheck } from '../../domain/run-data.ts';
import type { FactComparison } from './compare-facts.ts';

/** What is named of each verdict; the rest is counted. */
const MOST_NAMED = 5;

/** `when`: in words, how the restored database stands to the facts. Where nothing that is something was compared, it is not done. */
export function factsCheck(database: string, comparisons: readonly FactComparison[], when: string): RecoveryCheck {
  const name = `facts ${database}`;
  const of = (verdict: FactVerdict) => comparisons.filter((each) => each.verdict === verdict);
  const [against, allMoved, left, equal] = [of('contradicts'), of('moved on'), of('not compared'), of('equal')];
  const doubtful = allMoved.filter(({ isDoubtful }) => isDoubtful);
  const moved = allMoved.filter(({ isDoubtful }) => !isDoubtful);
  const compared = [...against, ...allMoved, ...equal].some(({ isSomething }) => isSomething);
  const counts = [
    ...(doubtful.length === 0 ? [] : [`look at ${named(doubtful)}; rows were deleted, or are missing`]),
    `${equal.length} equal`,
    ...(moved.length === 0 ? [] : [`${moved.length} moved on as expected (${named(moved)})`]),
    ...(left.length === 0 ? [] : [`${left.length} not compared (${named(left)})`]),
  ].join(', ');
  if (against.length > 0) {
    const value = `${when}: ${against.length} contradict what was backed up (${named(against)}); ${counts}`;
    return { name, ok: false, value, verdict: 'contradicts' };
  }
  if (!compared) return notCompared(name, `nothing compared, because nothing in it has a row or a value: ${counts}`);
  return { name, ok: true, value: `${when}: ${counts}`, verdict: allMoved.length > 0 ? 'moved on' : 'equal' };
}

export function notCompared(name: string, value: string): RecoveryCheck {
  return { name, ok: true, value, notDone: true, verdict: 'not compared' };
}

function named(comparisons: readonly FactComparison[]): string {
  const more = comparisons.length - MOST_NAMED;
  const told = comparisons
    .slice(0, MOST_NAMED)
    .map(({ fact, words }) => (words === undefined ? fact : `${fact}: ${words}`));
  return [...told, ...(more > 0 ? [`${more} more`] : [])].join('; ');
}
