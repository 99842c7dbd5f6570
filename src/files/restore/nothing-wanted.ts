// That nothing in a snapshot is what was asked for, and how to find where it is.

import { shownTyped } from '../../domain/path-text.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { Snapshot } from '../../vault/index.ts';
import type { Selection } from './select.ts';

/** `NOT_FOUND`. */
export function nothingWanted(
  { id, component }: Pick<Snapshot, 'id' | 'component'>,
  selection: Selection,
): HoldfastError {
  const wanted = [...(selection.paths ?? []), ...(selection.patterns ?? [])].map((each) => `'${shownTyped(each)}'`);
  const what = wanted.length === 0 ? 'there is nothing in it' : `nothing in it is ${wanted.join(', ')}`;
  return new HoldfastError('NOT_FOUND', `snapshot '${id}' of ${component}: ${what}`, {
    hint: hintFor(component, wanted),
  });
}

function hintFor(component: string, [first]: readonly string[]): string {
  if (first === undefined) return `\`holdfast list ${component}\` shows the others`;
  if (component.startsWith('files/'))
    return `\`holdfast files find ${first} ${component}\` tells in which snapshots it is`;
  return `restore the whole snapshot with \`--beside DIR\` to see what is in it; \`holdfast list ${component}\` shows the others`;
}
