// What is meant by paths and patterns that somebody typed: names that are there exactly so, else those that people are shown so; what is nothing is told.

import type { ComponentId } from '../../domain/component.ts';
import { shownTyped, textOfShown } from '../../domain/path-text.ts';
import { shellWord } from '../../domain/shell-word.ts';
import { fail } from '../../errors/index.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';
import { isWithin, type Selection, Selector, treePath } from './select.ts';

/** Where the spelling of a name says another name than it is. */
export function otherReading(path: string): string | undefined {
  const text = path.includes('\\') ? textOfShown(path) : undefined;
  return text === path ? undefined : text;
}

class WantedPath {
  readonly typed: string;
  readonly #read: string | undefined;
  readonly #top: string;
  readonly #readTop: string | undefined;
  #isThere = false;
  #isReadThere = false;

  constructor(typed: string) {
    this.typed = typed;
    this.#read = otherReading(typed);
    this.#top = treePath(typed);
    this.#readTop = this.#read && treePath(this.#read);
  }

  see(path: string): void {
    this.#isThere ||= isWithin(path, this.#top);
    this.#isReadThere ||= this.#readTop !== undefined && isWithin(path, this.#readTop);
  }

  get meant(): string {
    return this.#isThere ? this.typed : (this.#read ?? this.typed);
  }

  get isMissing(): boolean {
    return !this.#isThere && !this.#isReadThere;
  }
}

export interface MeantPaths {
  readonly paths: readonly string[];
  /** Of those that were typed. */
  readonly missing: readonly string[];
}

/** `names`: of all places that the paths may be in. Throws `USAGE` for a path that is not absolute. */
export async function meantPaths(
  typed: readonly string[],
  names: AsyncIterable<Pick<TreeEntry, 'path'>>,
): Promise<MeantPaths> {
  const all = typed.map((path) => new WantedPath(path));
  for await (const { path } of names) for (const each of all) each.see(path);
  return {
    paths: all.map(({ meant }) => meant),
    missing: all.filter(({ isMissing }) => isMissing).map((each) => each.typed),
  };
}

/** As it is meant in one snapshot; `unmatched`: patterns that match nothing in it, while others do, or paths are there. Throws `NOT_FOUND`, `USAGE`. */
export async function meantIn(
  reader: Pick<SnapshotReader, 'snapshot' | 'entries'>,
  selection: Selection,
): Promise<{ readonly selection: Selection; readonly unmatched: readonly string[] }> {
  const { paths = [], patterns = [] } = selection;
  if (paths.length + patterns.length === 0) return { selection, unmatched: [] };
  // One that takes names out again matches nothing by itself.
  const open = new Set(patterns.filter((each) => !/^[!#]/.test(each)));
  const selectors = [...open].map((pattern) => ({ pattern, selector: new Selector({ patterns: [pattern] }) }));
  const { paths: meant, missing } = await meantPaths(
    paths,
    seen(reader.entries(), (entry) => {
      for (const { pattern, selector } of selectors)
        if (open.has(pattern) && selector.takes(entry)) open.delete(pattern);
    }),
  );
  if (missing.length > 0) noneOf(reader.snapshot, missing);
  if (paths.length === 0 && open.size > 0 && open.size === selectors.length) noneOf(reader.snapshot, [...open]);
  return { selection: { ...selection, ...(paths.length > 0 && { paths: meant }) }, unmatched: [...open] };
}

async function* seen(entries: AsyncIterable<TreeEntry>, see: (entry: TreeEntry) => void): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    see(entry);
    yield entry;
  }
}

/** Throws `NOT_FOUND`. */
export function noneOf(
  { id, component }: { readonly id: string; readonly component: ComponentId },
  typed: readonly string[],
): never {
  const [first] = typed;
  if (first === undefined) {
    fail('NOT_FOUND', `there is nothing in snapshot '${id}' of ${component}`, {
      hint: `\`holdfast list ${component}\` shows the others`,
    });
  }
  const shown = typed.map((each) => `'${shownTyped(each)}'`).join(', ');
  fail('NOT_FOUND', `nothing in snapshot '${id}' is ${shown}`, {
    hint: component.startsWith('files/')
      ? `\`holdfast files find ${shellWord(shownTyped(first))} ${component}\` tells in which snapshots it is`
      : `\`holdfast restore ${component} --to snapshot:${id} --beside DIR\` gives back all that is in it, beside`,
  });
}
