// "Did you mean …?": the known word that a mistyped one was most likely meant to be.

/** More slips of the finger than this are another word, however long it is. */
const MOST_SLIPS = 3;

/**
 * The nearest of `known`, or nothing: one slip for every three letters of the longer of the two, of what they do not share in front (`database/`,
 * `bank.`). Upper and lower case count as the same.
 */
export function closest(word: string, known: readonly string[]): string | undefined {
  let best: { word: string; distance: number } | undefined;
  for (const candidate of known) {
    const [typed, meant] = withoutShared(word.toLowerCase(), candidate.toLowerCase());
    const limit = Math.min(MOST_SLIPS, Math.floor(Math.max(typed.length, meant.length) / 3));
    const distance = editDistance(typed, meant);
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { word: candidate, distance };
  }
  return best?.word;
}

/** Without the leading parts that are the same: a place of which only the last part differs is named by that part. */
function withoutShared(one: string, other: string): readonly [string, string] {
  const parts = (text: string) => text.split(/(?<=[/.])/);
  const [ours, theirs] = [parts(one), parts(other)];
  const differs = ours.findIndex((part, index) => part !== theirs[index]);
  return differs === -1 ? [one, other] : [ours.slice(differs).join(''), theirs.slice(differs).join('')];
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const steps = [cell(rows, row - 1, column) + 1, (current[column - 1] ?? 0) + 1];
      steps.push(cell(rows, row - 1, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) steps.push(cell(rows, row - 2, column - 2) + 1);
      current[column] = Math.min(...steps);
    }
    rows.push(current);
  }
  return cell(rows, a.length, b.length);
}

function cell(rows: readonly (readonly number[])[], row: number, column: number): number {
  return rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
}
