// What a snapshot of configuration holds besides the files of the host, below a name that no root has.

import { fail } from '../errors/index.ts';
import type { SnapshotReader } from '../vault/index.ts';

export const OWN = '.holdfast-configuration';
export const COMMANDS = `${OWN}/commands`;
export const BUNDLE = `${OWN}/repository.bundle`;
export const MARKER_KEY = `${OWN}/marker.key`;
/** Secrets that were found until now, so that one which was changed is still known in the places where it was forgotten. */
export const KNOWN_SECRETS = `${OWN}/known-secrets.json`;

export function isOwn(path: string): boolean {
  return path === OWN || path.startsWith(`${OWN}/`);
}

/** The rest is ours, or a directory that single files lie in. `roots`: absolute. */
export function isBelowRoot(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => `/${path}` === root || `/${path}`.startsWith(`${root}/`));
}

/** The bytes of one of them; undefined when the snapshot has none. Throws what the vault says. */
export async function readOwn(reader: SnapshotReader, path: string): Promise<Buffer | undefined> {
  for await (const entry of reader.entries()) {
    if (entry.path !== path) continue;
    const parts: Buffer[] = [];
    for await (const part of reader.read(entry)) parts.push(part);
    return Buffer.concat(parts);
  }
  return undefined;
}

/** Throws `OBJECT_DAMAGED`: the words of a parser would quote what it could not read. */
export async function knownSecretsOf(reader: SnapshotReader | undefined): Promise<readonly string[]> {
  const bytes = reader && (await readOwn(reader, KNOWN_SECRETS));
  if (!bytes) return [];
  const values = parsed(bytes);
  if (Array.isArray(values) && values.every((value) => typeof value === 'string')) return values;
  return fail('OBJECT_DAMAGED', `'${KNOWN_SECRETS}' of the snapshot '${reader?.snapshot.id}' is no list of texts`);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

export function outputPath(name: string, isWhole: boolean): string {
  return `${COMMANDS}/${name}${isWhole ? '' : '.failed'}`;
}
