// The roots of a component: where they really are, and that none is inside of another.

import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { comesBefore } from '../walk-order.ts';

/** By the text of the root in the tree (absolute, without the slash in front), in walk order: its path without links. Throws `FILES_ROOT`. */
export async function straightRoots(roots: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const texts = roots.map((root) => path.resolve(root).slice(1)).sort((a, b) => (comesBefore(a, b) ? -1 : 1));
  for (const [number, text] of texts.entries()) {
    const outer = texts[number - 1];
    if (outer !== undefined && (outer === '' || text === outer || text.startsWith(`${outer}/`))) {
      fail('FILES_ROOT', `'/${text}' is in '/${outer}': what is there would be captured twice`, {
        hint: `leave '/${text}' out of the roots`,
      });
    }
  }
  const straight = new Map<string, string>();
  for (const text of texts) straight.set(text, await realPath(`/${text}`));
  return straight;
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
