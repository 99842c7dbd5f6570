// Bugs planted into retention while its code is loaded, in this process alone: the model must find each.

import { registerHooks } from 'node:module';

interface Edit {
  /** Below `src/vault`. */
  readonly file: string;
  /** What stands there exactly once. */
  readonly from: string;
  readonly to: string;
}

export const mutants: Readonly<Record<string, readonly Edit[]>> = {
  'ignores the grace': [
    {
      file: 'retention/due.ts',
      from: 'return due !== undefined && due <= now;',
      to: 'return due !== undefined;',
    },
  ],
  'ignores holds': [
    {
      file: 'retention/decide.ts',
      from: '...holds.filter(({ component }) => component === facts.component),',
      to: '',
    },
  ],
  'ignores that a tombstone was taken back': [
    {
      file: 'retention/tombstone.ts',
      from: 'list: without(parsedList.data, released),',
      to: 'list: parsedList.data,',
    },
  ],
  'goes on without a copy that is away': [
    {
      file: 'retention/world.ts',
      from: 'await Promise.all(asked);',
      to: 'await Promise.allSettled(asked);',
    },
  ],
  'goes on over what it does not understand': [
    {
      file: 'retention/inventory.ts',
      from: 'if (stranger === undefined) return;',
      to: 'return;',
    },
  ],
  'lets a catch-up bring back what is to be deleted': [
    {
      file: 'retention/named.ts',
      from: "return namedKeys(await readTombstones(core, copies, { cache, unreadable: 'skip' }));",
      to: 'return new Set();',
    },
  ],
  'does not look behind junk': [
    {
      file: 'versions.ts',
      from: 'if (!isHoldfastError(error, ...NOT_OURS)) throw error;\n    for',
      to: 'throw error;\n    for',
    },
  ],
  'deletes a generation that a snapshot still needs': [
    {
      file: 'retention/decide.ts',
      from: 'return parts.facts.generations.filter((each) => !needed.has(each.path) && isClosed(parts, each));',
      to: 'return parts.facts.generations.filter((each) => isClosed(parts, each));',
    },
    {
      file: 'retention/due-names.ts',
      from: 'generations.has(generation.path) && !needed.has(generation.path) && isClosed(after, generation)',
      to: 'generations.has(generation.path) && isClosed(after, generation)',
    },
  ],
};

/** Before any of the vault's code is imported. Ends the process with 3 when the code does not say any more what a mutant changes. */
export function plant(edits: readonly Edit[]): void {
  const left = new Map(edits.map((edit) => [new URL(`../../../src/vault/${edit.file}`, import.meta.url).href, edit]));
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const edit = left.get(url);
      if (edit === undefined) return loaded;
      const parts = String(loaded.source).split(edit.from);
      if (parts.length !== 2) return loaded;
      left.delete(url);
      return { ...loaded, source: parts.join(edit.to) };
    },
  });
  process.on('exit', () => {
    if (left.size > 0) process.exitCode = 3;
  });
}
