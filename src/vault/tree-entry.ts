// One line of a tree as an entry, by hand: a snapshot of a million files has a million of them.

import { fail } from '../errors/index.ts';
import { arePieces } from './pieces.ts';
import type { TreeEntry } from './types.ts';

const HASH_DIGITS = 64;
const TYPES: readonly unknown[] = ['file', 'directory', 'symlink', 'hardlink', 'fifo', 'device'];
const CHUNKINGS: readonly unknown[] = ['pages', 'content', undefined];

const LINE = Symbol('line of the tree');

/** The line that says just this entry; undefined for one that was made otherwise, a changed copy of one that was read included. */
export function lineOf(entry: TreeEntry & { readonly [LINE]?: string }): string | undefined {
  return entry[LINE];
}

/** `what`: names the tree. Throws `OBJECT_DAMAGED` for a line that is no entry (docs/vault-format.md, section 7); fields that it does not know are kept. */
export function parseTreeEntry(line: string, what: string): TreeEntry {
  try {
    const entry = JSON.parse(line) as unknown;
    // Not enumerable: a changed copy does not have it.
    if (isEntry(entry)) return Object.defineProperty(entry, LINE, { value: line });
  } catch (cause) {
    fail('OBJECT_DAMAGED', `${what} has a line that is no entry`, { cause });
  }
  return fail('OBJECT_DAMAGED', `${what} has a line that is no entry`);
}

/** What is no entry here must not be written either. */
export function isEntry(value: unknown): value is TreeEntry {
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
    [entry.uid, entry.gid].every((id) => id === undefined || isCount(id)) &&
    isTextOrAbsent(entry.user) &&
    isTextOrAbsent(entry.group) &&
    (entry.holes === undefined || entry.holes === true) &&
    (entry.xattrs === undefined || isTexts(entry.xattrs)) &&
    (entry.device === undefined || isDevice(entry.device)) &&
    (entry.type !== 'hardlink' || typeof entry.linkTarget === 'string') &&
    (entry.type !== 'device' || entry.device !== undefined) &&
    (entry.sha256 === undefined || isHash(entry.sha256)) &&
    (entry.chunks === undefined || (Array.isArray(entry.chunks) && entry.chunks.every(isHash))) &&
    (entry.pieces === undefined || hasPieces(entry, entry.sizeBytes))
  );
}

function isTexts(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}

function isDevice(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, major, minor } = value as Readonly<Record<string, unknown>>;
  return (kind === 'character' || kind === 'block') && isCount(major) && isCount(minor);
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
