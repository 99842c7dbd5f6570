// Copies that need a catch-up: away for a while, or answering and lacking something; looked at as they are, not by what changed.

import type { LogPositions } from '../contract.ts';

/** A store that stumbles for a moment is not away. */
const awayAfterMs = 15_000;
/** How often the copies are compared: lists of every one. */
const compareEveryMs = 5 * 60_000;
/** Sooner while a catch-up was asked for: once it is done, the next time that copy goes away is news. */
const compareSoonMs = 30_000;
/** A copy that answers the receiver again is asked by the vault a little later: it is compared soon for so long. */
const restlessMs = 3 * 60_000;

export interface LaggardsOptions {
  /** Copies for which a catch-up was asked already: no news while they lag, for `ignoreForMs`. */
  readonly asked: readonly string[];
  readonly ignoreForMs: number;
  /** Names of copies that answer and lack something. */
  readonly compare: () => Promise<readonly string[]>;
}

export class Laggards {
  readonly #options: LaggardsOptions;
  readonly #asked: Set<string>;
  readonly #awaySince = new Map<string, number>();
  readonly #begunAt: number;
  #behind: readonly string[] = [];
  #compareAt: number;
  #restlessUntil = 0;

  constructor(options: LaggardsOptions, now = Date.now()) {
    this.#options = options;
    this.#asked = new Set(options.asked);
    this.#begunAt = now;
    this.#compareAt = now;
  }

  /** Everything that lags now, and whether a catch-up has to be asked for. */
  async look(copies: LogPositions['copies'], now = Date.now()): Promise<{ all: string[]; isNews: boolean }> {
    const answering = copies.filter(({ error }) => error === undefined).map(({ copy }) => copy);
    const isBack = answering.filter((copy) => this.#awaySince.delete(copy)).length > 0;
    for (const { copy, error } of copies) {
      if (error !== undefined && !this.#awaySince.has(copy)) this.#awaySince.set(copy, now);
    }
    if (isBack) this.#restlessUntil = now + restlessMs;
    if (isBack || now >= this.#compareAt) await this.#compare(answering, now);
    const away = [...this.#awaySince].filter(([, at]) => now - at >= awayAfterMs).map(([copy]) => copy);
    const all = [...new Set([...away, ...this.#behind.filter((copy) => answering.includes(copy))])];
    const isOver = now - this.#begunAt >= this.#options.ignoreForMs;
    return { all, isNews: all.some((copy) => isOver || !this.#asked.has(copy)) };
  }

  async #compare(answering: readonly string[], now: number): Promise<void> {
    try {
      this.#behind = await this.#options.compare();
      for (const copy of answering) if (!this.#behind.includes(copy)) this.#asked.delete(copy);
    } catch {
      // No copy answers: nothing is known, and what was known stays.
    }
    const isSoon = this.#asked.size > 0 || now < this.#restlessUntil;
    this.#compareAt = now + (isSoon ? compareSoonMs : compareEveryMs);
  }
}
