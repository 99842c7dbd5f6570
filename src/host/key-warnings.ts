// What is too little about the ways to open a vault, in words: one slot only, all secrets in one place, a key without a slot.

import { access } from 'node:fs/promises';
import type { Configuration, KeySettings } from '../../config/index.ts';
import type { SlotListing } from '../vault/index.ts';

/** One sentence each, with what to do. */
export async function slotWarnings(configuration: Configuration, { slots, removed }: SlotListing): Promise<string[]> {
  const names = [...new Set(slots.filter((each) => each.removed === undefined).map(({ slot }) => slot))];
  const { keys } = configuration.vault;
  const here = await Promise.all(names.map((name) => isOnThisHost(keys.find((key) => key.name === name))));
  const warnings = keys
    .filter(({ name }) => removed.includes(name))
    .map(
      ({ name }) =>
        `the slot of key '${name}' was removed: take the key out of the configuration, or make a new slot with \`holdfast keys add ${name}\``,
    );
  if (names.length === 1) {
    warnings.push(
      'the vault has one key slot only: whoever loses it loses every copy; add another and keep it off this host',
    );
  } else if (names.length > 0 && here.every(Boolean)) {
    warnings.push(
      'every key that opens the vault lies on this host and is lost with it: keep one off the host, such as a passphrase in a safe or a key of AWS KMS',
    );
  }
  return warnings;
}

/** A passphrase from a variable may be in somebody's head; what a file here holds is here. */
async function isOnThisHost(key: KeySettings | undefined): Promise<boolean> {
  if (key === undefined || 'kms' in key) return false;
  const file = 'file' in key ? key.file : /^file:(.+)$/s.exec(key.passphrase)?.[1];
  if (file === undefined) return false;
  return access(file).then(
    () => true,
    () => false,
  );
}
