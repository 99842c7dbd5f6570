// The roots of a component: where they really are, and that none is inside of another.

import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import type { Snapshot, TreeEntry } from '../../vault/index.ts';
import { isWithin } from '../restore/select.ts';
import { OWN_DIRECTORY } from '../scan/rules.ts';
import type { FilesDetails } from '../types.ts';
import { comesBefore } from '../walk-order.ts';

/** By the text of the root in the tree (absolute, without the slash in front), in walk order: its path without links. Throws `FILES_ROOT`. */
export async function straightRoots(roots: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const straight = new Map<string, string>();
  for (const text of sortedRoots(roots)) straight.set(text, await realPath(`/${text}`));
  return straight;
}

/** By their texts in the tree, in walk order. Throws `FILES_ROOT` for one inside of another. */
export function sortedRoots(roots: readonly string[]): readonly string[] {
  const texts = roots.map((root) => path.resolve(root).slice(1)).sort((a, b) => (comesBefore(a, b) ? -1 : 1));
  for (const [number, text] of texts.entries()) {
    const outer = texts[number - 1];
    if (outer !== undefined && (outer === '' || text === outer || text.startsWith(`${outer}/`))) {
      fail('FILES_ROOT', `'/${shownPath(text)}' is in '/${shownPath(outer)}': what is there would be captured twice`, {
        hint: `leave '/${shownPath(text)}' out of the roots`,
      });
    }
  }
  return texts;
}

async function realPath(root: string): Promise<string> {
  try {
    return await realpath(root);
  } catch (cause) {
    return fail('FILES_ROOT', `the root '${root}' cannot be looked at: ${(cause as Error).message}`, {
      hint: 'is its disk mounted, and may the worker read it? A root that is not wanted any more belongs out of the configuration',
      cause,
    });
  }
}

/**
 * A disk that is not mounted leaves its mount point behind, which looks like an empty root. Throws `FILES_ROOT` for one that is empty and held
 * something in the snapshot before.
 */
export async function requireFilled(
  roots: ReadonlyMap<string, string>,
  { id, engine }: Snapshot,
  entries: () => AsyncIterable<readonly TreeEntry[]>,
): Promise<void> {
  const before = (engine as unknown as FilesDetails).roots.map((root) => path.resolve(root).slice(1));
  for (const [text, real] of roots) {
    if (!before.includes(text) || !(await isEmpty(real)) || !(await holds(entries(), text))) continue;
    fail('FILES_ROOT', `the root '/${shownPath(text)}' is empty, and held something in snapshot '${id}'`, {
      hint: 'is its disk mounted? Where it is meant to be empty, put a file into it, or leave it out of the roots',
    });
  }
}

/** But for what is ours. */
export async function isEmpty(root: string): Promise<boolean> {
  if (!(await stat(root)).isDirectory()) return false;
  return (await readdir(root)).every((name) => name === OWN_DIRECTORY);
}

/** What cannot be read may have held something. */
async function holds(entries: AsyncIterable<readonly TreeEntry[]>, root: string): Promise<boolean> {
  try {
    for await (const batch of entries) {
      if (batch.some(({ path: at }) => at !== root && isWithin(at, root))) return true;
    }
    return false;
  } catch {
    return true;
  }
}
