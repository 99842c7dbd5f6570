// One line of a tree as an entry, by hand: a snapshot of a million files has a million of them.

import { fail } from '../errors/index.ts';
import { arePieces } from './pieces.ts';
import type { TreeEntry } from './types.ts';

const HASH_DIGITS = 64;
const TYPES: readonly unknown[] = ['file', 'directory', 'symlink'];
const CHUNKINGS: readonly unknown[] = ['pages', 'content', undefined];

/** `what`: names the tree. Throws `OBJECT_DAMAGED` for a line that is no entry (docs/vault-format.md, section 7); fields that it does not know are kept. */
export function parseTreeEntry(line: string, what: string): TreeEntry {
  try {
    const entry = JSON.parse(line) as unknown;
    if (isEntry(entry)) return entry;
  } catch (cause) {
    fail('OBJECT_DAMAGED', `${what} has a line that is no entry`, { cause });
  }
  return fail('OBJECT_DAMAGED', `${what} has a line that is no entry`);
}

function isEntry(value: unknown): value is TreeEntry {
  if (typeof value !== 'object' || value === null) return false;
  const entry = value as Readonly<Record<string, unknown>>;
  return (
    typeof entry.path === 'string' &&
    entry.path !== '' &&
    TYPES.includes(entry.type) &&
    isCount(entry.mode) &&
    Number.isFinite(entry.mtimeSeconds) &&
    isCount(entry.sizeBytes) &&
    CHUNKINGS.includes(entry.chunking) &&
    (entry.mtimeNanos === undefined || (isCount(entry.mtimeNanos) && entry.mtimeNanos < 1_000_000_000)) &&
    isTextOrAbsent(entry.linkTarget) &&
    isTextOrAbsent(entry.ctimeNs) &&
    isTextOrAbsent(entry.inode) &&
    (entry.sha256 === undefined || isHash(entry.sha256)) &&
    (entry.chunks === undefined || (Array.isArray(entry.chunks) && entry.chunks.every(isHash))) &&
    (entry.pieces === undefined || hasPieces(entry, entry.sizeBytes))
  );
}

function hasPieces({ type, chunks, pieces }: Readonly<Record<string, unknown>>, sizeBytes: number): boolean {
  return type === 'file' && Array.isArray(chunks) && arePieces(pieces, chunks.length, sizeBytes);
}

/** Digit by digit: a regular expression takes several times as long, and there is one for every chunk. */
function isHash(value: unknown): boolean {
  if (typeof value !== 'string' || value.length !== HASH_DIGITS) return false;
  for (let at = 0; at < HASH_DIGITS; at++) {
    const digit = value.charCodeAt(at);
    const isHex = (digit >= 0x30 && digit <= 0x39) || (digit >= 0x61 && digit <= 0x66);
    if (!isHex) return false;
  }
  return true;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
