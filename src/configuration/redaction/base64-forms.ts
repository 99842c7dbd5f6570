// A value in base64, wherever it stands in what was encoded: `user:value` of a header shows other letters than the value alone.

const GROUP_BYTES = 3;
/** Shorter ones stand in other words. */
const SHORTEST = 6;

/** Of each alignment what depends on the value alone: the letters at both ends depend on what is around it, too. */
export function base64FormsOf(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  return Array.from({ length: GROUP_BYTES }, (_, before) => lettersOf(bytes, before))
    .filter((letters) => letters.length >= SHORTEST)
    .flatMap((letters) => [letters, letters.replaceAll('+', '-').replaceAll('/', '_')]);
}

function lettersOf(bytes: Buffer, before: number): string {
  const letters = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const isPartial = (before + bytes.length) % GROUP_BYTES !== 0;
  // One byte in front takes a letter and a part of the next, two take two.
  return letters.slice(before === 0 ? 0 : before + 1, isPartial ? -1 : undefined);
}
