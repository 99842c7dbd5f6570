// What came later: of what the component stands for today, whatever lies in no directory that is given back stays, also where the snapshot has nothing of it.

import type { Named } from '../../domain/component-report.ts';
import { shownPath } from '../../domain/path-text.ts';
import { toHoldfastError } from '../../errors/index.ts';
import type { Snapshot } from '../../vault/index.ts';
import { isWithin, type Selection, Selector, treePath } from '../restore/select.ts';
import type { FilesDetails } from '../types.ts';

export interface LaterRoots {
  /** Absent where there is none, or it cannot be told. */
  readonly kept?: Named;
  readonly warnings: readonly string[];
}

/** A plan and a result go through histories. */
const MOST_NAMES = 20;
const SHOWN = 5;

/** `today`: roots that are there now; those that are not asked for are nobody's question. */
export async function laterRoots(
  { engine }: Pick<Snapshot, 'engine'>,
  today: () => Promise<readonly string[]>,
  selection: Selection,
): Promise<LaterRoots> {
  const { roots } = engine as unknown as FilesDetails;
  const then = roots.map((root) => treePath(root));
  const selector = new Selector(selection);
  try {
    const later = (await today()).filter((root) => {
      const path = treePath(root);
      return !then.some((each) => isWithin(path, each)) && selector.takes({ path, type: 'file' });
    });
    return later.length === 0 ? { warnings: [] } : told(later.map((root) => shownPath(root)));
  } catch (error) {
    return { warnings: [`what came after the snapshot cannot be told: ${toHoldfastError(error).message}`] };
  }
}

function told(names: readonly string[]): LaterRoots {
  const count = names.length;
  const more = count > SHOWN ? ` and ${count - SHOWN} more` : '';
  const what =
    count === 1
      ? '1 name came after the snapshot, and stays as it is'
      : `${count} names came after the snapshot, and stay as they are`;
  return {
    kept: { count, first: names.slice(0, MOST_NAMES) },
    warnings: [
      `${what}: ${names
        .slice(0, SHOWN)
        .map((name) => `'${name}'`)
        .join(', ')}${more}`,
    ],
  };
}
