// Patterns of the user's own: regular expressions for some texts or all, each under a limit of time, because one may take for ever.

import { createContext, Script } from 'node:vm';
import ignore, { type Ignore } from 'ignore';
import type { RedactionRule } from '../types.ts';
import type { Span } from './span.ts';

/** A pattern that takes longer on one text is no pattern for it. */
const LIMIT_MS = 2_000;
/** One that took too long so often is not tried again: a directory of such texts must not hold everything up. */
const MOST_TIMES = 5;

const FIND = new Script(`
  [...text.matchAll(new RegExp(pattern, 'gmd'))].map((match) => match.indices[1] ?? match.indices[0]).flat().join(' ')
`);

interface Compiled {
  readonly rule: RedactionRule;
  readonly files: Ignore | undefined;
}

export type UserFindings = { readonly spans: readonly Span[] } | { readonly tooLong: string };

export class UserRules {
  readonly #rules: readonly Compiled[];
  /** A rule that is slow on large texts is none that is slow on names: each is counted by itself. */
  readonly #tooLong = { texts: new Map<RedactionRule, number>(), words: new Map<RedactionRule, number>() };
  readonly #context = createContext({ text: '', pattern: '' });

  readonly #limitMs: number;

  /** `limitMs`: for one rule on one text. */
  constructor(rules: readonly RedactionRule[], limitMs = LIMIT_MS) {
    this.#limitMs = limitMs;
    this.#rules = rules.map((rule) => ({
      rule,
      files: rule.files && ignore({ ignorecase: false }).add([...rule.files]),
    }));
  }

  /** `path` as the tree has it; undefined for the output of a command, which every rule without `files` is for. */
  find(text: string, path: string | undefined, of: 'texts' | 'words'): UserFindings {
    const spans: Span[] = [];
    for (const { rule, files } of this.#rules) {
      if (files && (path === undefined || !files.ignores(path))) continue;
      const found = this.#match(text, rule, this.#tooLong[of]);
      if (found === undefined) return { tooLong: rule.pattern };
      for (let at = 0; at + 1 < found.length; at += 2) {
        spans.push({ from: found[at] as number, to: found[at + 1] as number, kind: rule.kind });
      }
    }
    return { spans };
  }

  #match(text: string, rule: RedactionRule, tooLong: Map<RedactionRule, number>): readonly number[] | undefined {
    const times = tooLong.get(rule) ?? 0;
    if (times >= MOST_TIMES) return undefined;
    Object.assign(this.#context, { text, pattern: rule.pattern });
    try {
      const numbers = FIND.runInContext(this.#context, { timeout: this.#limitMs }) as string;
      return numbers === '' ? [] : numbers.split(' ').map(Number);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      tooLong.set(rule, times + 1);
      return undefined;
    }
  }
}
