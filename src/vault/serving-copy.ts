// The copy that a snapshot is read from: the one that was asked for and no other, or the first that has it.

import { fail, HoldfastError, toHoldfastError } from '../errors/index.ts';
import type { SnapshotOnCopies, Vault } from './types.ts';

/** What choosing a snapshot, and the copy that it is read from, asks of a vault. */
export type ChoosingVault = Pick<Vault, 'listSnapshots' | 'conditions' | 'requireCopy'>;

/**
 * Throws `OBJECT_MISSING` when no copy that answers has it; `NO_SNAPSHOT` when the one that was asked for is away, has it not, or cannot give it:
 * another in its place would prove nothing of it, and may cost what the person wanted to save.
 */
export async function servingCopy(
  vault: Omit<ChoosingVault, 'listSnapshots'>,
  { id, component, copies }: SnapshotOnCopies,
  asked: string | undefined,
): Promise<string> {
  const present = Object.keys(copies).filter((copy) => copies[copy] === 'present');
  if (asked === undefined) {
    const away = Object.keys(copies).filter((copy) => copies[copy] === 'away');
    const hint = `away: ${away.join(', ') || 'none'}`;
    return present[0] ?? fail('OBJECT_MISSING', `no copy that answers has snapshot '${id}'`, { hint });
  }
  if (copies[asked] === 'away') throw await copyAway(vault, asked, present);
  // That it is present says only that its manifest was read once, perhaps long ago.
  const wrongOn = (copy: string) => vault.requireCopy(component, id, copy).then(() => undefined, toHoldfastError);
  const wrong = await wrongOn(asked);
  if (wrong === undefined) return asked;
  const whole: string[] = [];
  for (const copy of present) if (copy !== asked && (await wrongOn(copy)) === undefined) whole.push(copy);
  const lacks = wrong.code === 'OBJECT_MISSING' ? 'does not have it whole' : 'cannot give it';
  const message = `snapshot '${id}' was asked for from copy '${asked}', which ${lacks}: ${wrong.message}`;
  const hint = whole.length === 0 && present.length > 0 ? PIECE_BY_PIECE : insteadOf(whole);
  throw new HoldfastError('NO_SNAPSHOT', message, { hint, cause: wrong });
}

const PIECE_BY_PIECE =
  'no copy that answers has all of it: without `--from` Holdfast takes each piece from one that has it';

/** `NO_SNAPSHOT`, with why the copy is away. `others`: those that can serve. */
export async function copyAway(
  vault: Pick<Vault, 'conditions'>,
  copy: string,
  others: readonly string[],
): Promise<HoldfastError> {
  const condition = (await vault.conditions()).find(({ name }) => name === copy);
  const why = condition?.state === 'away' ? condition.error.message : 'it did not answer, and does now: try again';
  return new HoldfastError('NO_SNAPSHOT', `copy '${copy}' is away: ${why}`, { hint: insteadOf(others) });
}

/** A hint: what to type when a copy that was asked for cannot serve. */
export function insteadOf(others: readonly string[]): string {
  if (others.length === 0) return 'no other copy that answers has it either; `holdfast copies` tells why';
  const words = others.map((copy) => `\`--from ${copy}\``).join(' or ');
  return `${words} can serve; without \`--from\` Holdfast takes the nearest that can`;
}
