// What differs between two trees, and how a commit says it.

import { shownPath, textOfPath } from '../../domain/path-text.ts';
import type { TextChanges } from '../types.ts';
import type { Git } from './git.ts';

export interface TextChange {
  readonly what: 'created' | 'changed' | 'removed';
  /** In the commit. */
  readonly path: string;
}

/** Git knows this one without having it. */
export const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

export const FILES = 'files/';
export const OUTPUTS = 'commands/';
export const METADATA = 'metadata';
const FAILED = '.failed';
const MOST_LISTED = 50;

export async function changesBetween(git: Git, one: string, other: string): Promise<TextChange[]> {
  const { bytes } = await git.bytes(['diff-tree', '-r', '-z', '--no-renames', '--name-status', one, other]);
  const words = splitAtZero(bytes);
  const changes: TextChange[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const letter = words[at]?.toString('latin1');
    const what = letter === 'A' ? 'created' : letter === 'D' ? 'removed' : 'changed';
    changes.push({ what, path: textOfPath(words[at + 1] as Buffer) });
  }
  return changes;
}

function splitAtZero(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    parts.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return parts;
}

export function countsOf(changes: readonly TextChange[]): TextChanges {
  const count = (what: TextChange['what']) => changes.filter((each) => each.what === what && isListed(each)).length;
  return { created: count('created'), changed: count('changed'), removed: count('removed') };
}

/** One line, for people. */
export function summaryOf(changes: readonly TextChange[], isFirst: boolean): string {
  const files = changes.filter(({ path }) => path.startsWith(FILES));
  const outputs = changes.filter(({ path }) => path.startsWith(OUTPUTS));
  if (isFirst) return `Capture ${amount(files.length, 'file')} and ${amount(outputs.length, 'output')}`;
  const [only] = [...files, ...outputs];
  if (!only) return 'Change modes or owners';
  if (files.length + outputs.length === 1) return `${verbOf(only)} ${nameOf(only)}`;
  const parts = (['changed', 'created', 'removed'] as const).flatMap((what) => {
    const count = files.filter((each) => each.what === what).length;
    return count === 0 ? [] : [`${what} ${amount(count, 'file')}`];
  });
  const names = [...new Set(outputs.map(({ path }) => path.slice(OUTPUTS.length)))];
  if (names.length > 0) parts.push(`output of ${names.slice(0, 5).join(', ')}${names.length > 5 ? ' and more' : ''}`);
  const text = parts.join(', ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function listOf(changes: readonly TextChange[]): string {
  const listed = changes.filter(isListed);
  const lines = listed.slice(0, MOST_LISTED).map((each) => `${each.what.padEnd(8)} ${nameOf(each)}`);
  const more = listed.length - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

/** Modes and owners change with what is created and removed: that is told once. */
function isListed({ path }: TextChange): boolean {
  return path !== METADATA;
}

function verbOf({ what }: TextChange): string {
  return { created: 'Create', changed: 'Change', removed: 'Remove' }[what];
}

function nameOf({ path }: TextChange): string {
  if (path.startsWith(FILES)) return shownPath(path.slice(FILES.length - 1));
  const name = path.slice(OUTPUTS.length);
  return name.endsWith(FAILED) ? `failure of ${name.slice(0, -FAILED.length)}` : `output of ${name}`;
}

function amount(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
