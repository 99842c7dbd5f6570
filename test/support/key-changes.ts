// Changes of key slots that a test can cut off anywhere, and what must hold of the vault and its key files at every instant.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { rotateKeyFile } from '../../src/host/key-file-change.ts';
import { generateKeyFile, type KeySource, openVault, type Vault, type VaultOptions } from '../../src/vault/index.ts';

/** Made beside the vault's own key file, for a second slot. */
export const secondKey = (keyFile: string) => join(dirname(keyFile), 'second.key');
const source = (name: string, path: string): KeySource => ({ name, kind: 'file', path });

export interface KeyChangeCase {
  readonly title: string;
  /** Brings the vault to where the change begins. */
  prepare(vault: Vault, keyFile: string): Promise<void>;
  change(vault: Vault, keyFile: string): Promise<unknown>;
  /** Names of the slots that each copy has exactly one object of in the end. */
  readonly slots: readonly string[];
  /** How many removals each copy has on record at least. */
  readonly removals: number;
}

const addSecond = async (vault: Vault, keyFile: string) => {
  if (!(await readdir(dirname(keyFile))).includes('second.key')) await generateKeyFile(secondKey(keyFile));
  return vault.slots.add(source('second', secondKey(keyFile)));
};

export const keyChanges: Readonly<Record<string, KeyChangeCase>> = {
  rotate: {
    title: 'the rotation of the only key file',
    prepare: async () => undefined,
    change: (vault, file) => rotateKeyFile(vault, { name: 'host', file }),
    slots: ['host'],
    removals: 1,
  },
  add: {
    title: 'a second slot',
    prepare: async () => undefined,
    change: addSecond,
    slots: ['host', 'second'],
    removals: 0,
  },
  remove: {
    title: 'the removal of one slot of two',
    prepare: async (vault, keyFile) => void (await addSecond(vault, keyFile)),
    change: (vault, keyFile) => vault.slots.remove('second', [source('host', keyFile)]),
    slots: ['host'],
    removals: 1,
  },
};

/** Key files that there are, under whatever name: the key itself, a staged one, old ones. */
async function secretsBeside(keyFile: string): Promise<KeySource[]> {
  const names = await readdir(dirname(keyFile));
  const own = names.filter((name) => name.startsWith(basename(keyFile)) && !name.endsWith('.unfinished'));
  return own.map((name) => source('host', join(dirname(keyFile), name)));
}

/** The configured key opens the vault, and each copy, were it the last one, opens with a key file that is there. */
export async function requireOpens(options: VaultOptions, keyFile: string): Promise<void> {
  await (await openVault({ ...options, keys: [source('host', keyFile)] })).close();
  const secrets = await secretsBeside(keyFile);
  for (const copy of options.copies) await (await openVault({ ...options, copies: [copy], keys: secrets })).close();
}

/** What must hold when a change has ended well: on each copy by itself. */
export async function requireSettled(
  { slots, removals }: KeyChangeCase,
  options: VaultOptions,
  keyFile: string,
  path: (copy: string) => string,
): Promise<void> {
  const left = (await readdir(dirname(keyFile))).filter((name) => name.startsWith(`${basename(keyFile)}.`));
  assert.deepEqual(left, [], 'nothing of a rotation is left beside the key file');
  for (const copy of options.copies) {
    const names = await readdir(join(path(copy.description.name), 'keys'));
    const objects = names.filter((name) => name.endsWith('.json')).map((name) => name.split('.')[0]);
    assert.deepEqual(objects.toSorted(), slots.toSorted(), copy.description.name);
    assert.ok(names.filter((name) => name.endsWith('.removed')).length >= removals, copy.description.name);
    const alone = { ...options, copies: [copy] };
    for (const name of slots) {
      const file = name === 'host' ? keyFile : secondKey(keyFile);
      await (await openVault({ ...alone, keys: [source(name, file)] })).close();
    }
  }
}

/** The key file as it was before, under a name that nothing looks for. */
export async function contentOf(keyFile: string): Promise<string> {
  return readFile(keyFile, 'utf8');
}
