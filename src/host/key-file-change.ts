// Rotating a key that is a file: the new file beside the old one, its slot on every copy, the exchange, and only then the end of the old ones.

import { access } from 'node:fs/promises';
import { fail } from '../errors/index.ts';
import { KeyFileRotation, type SlotChange, type Vault } from '../vault/index.ts';

export interface FileRotation {
  readonly change: SlotChange;
  /** Old key files that a copy which gave no answer still needs. */
  readonly kept: readonly string[];
  /** Whether an earlier attempt was taken up. */
  readonly resumed: boolean;
}

/**
 * Throws `NOT_FOUND` when there is no such slot, `VAULT_KEY_WRONG` when the file that is there is not the key of the slot: another host
 * rotated it. Nothing is made then.
 */
export async function rotateKeyFile(vault: Vault, key: { name: string; file: string }): Promise<FileRotation> {
  if (!(await KeyFileRotation.isUnderWay(key.file))) await requireOurs(vault, key);
  const rotation = await KeyFileRotation.begin(key.file);
  const source = { name: key.name, kind: 'file', path: rotation.secretPath } as const;
  const change = await vault.slots.rotate(source, { fresh: false, settle: () => rotation.exchange() });
  if (change.behind.length === 0) await rotation.forgetOld();
  return { change, kept: rotation.old, resumed: rotation.resumed };
}

async function requireOurs(vault: Vault, { name, file }: { name: string; file: string }): Promise<void> {
  const { slots } = await vault.slots.list([{ name, kind: 'file', path: file }]);
  const own = slots.filter(({ slot, removed }) => slot === name && removed === undefined);
  if (own.length === 0) {
    fail('NOT_FOUND', `the vault has no key slot '${name}'`, { hint: `\`holdfast keys add ${name}\` makes one` });
  }
  if (own.some(({ error }) => error === undefined)) return;
  if (!(await keyFileExists(file))) return; // lost: the new one takes its place
  fail('VAULT_KEY_WRONG', `the key file '${file}' does not open slot '${name}'`, {
    hint: 'was it rotated on another host? bring the key file from there; if it is lost, move this one away and rotate again',
  });
}

export async function keyFileExists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
