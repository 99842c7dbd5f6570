// Which names are meant by paths that somebody typed: those that are there exactly so, else those that people are shown so.

import { textOfShown } from '../../domain/path-text.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { isWithin, type Selection, treePath } from './select.ts';

type Names = AsyncIterable<Pick<TreeEntry, 'path'>>;

/** Where the spelling of a name says another name than it is. */
export function otherReading(path: string): string | undefined {
  const text = path.includes('\\') ? textOfShown(path) : undefined;
  return text === path ? undefined : text;
}

/** `names` of all places that the paths may be in; read only where one of them can be read in two ways. Throws `USAGE` for one that is not absolute. */
export async function meantPaths(paths: readonly string[], names: () => Names): Promise<readonly string[]> {
  const twofold = paths.filter((path) => otherReading(path) !== undefined);
  if (twofold.length === 0) return paths;
  const tops = twofold.map((path) => ({ path, top: treePath(path) }));
  const there = new Set<string>();
  for await (const { path: name } of names()) {
    for (const { path, top } of tops) if (isWithin(name, top)) there.add(path);
  }
  return paths.map((path) => (there.has(path) ? path : (otherReading(path) ?? path)));
}

/** As it is meant in one tree. */
export async function meantIn(source: { entries(): Names }, { paths, ...selection }: Selection): Promise<Selection> {
  return paths ? { ...selection, paths: await meantPaths(paths, () => source.entries()) } : selection;
}
