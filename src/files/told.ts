// A list of which the first entries are kept and all are counted: what a million files have to tell stays small.

import type { Told } from './types.ts';

const MOST = 100;

export class Telling<Each> {
  readonly #first: Each[] = [];
  #count = 0;

  add(each: Each): void {
    this.#count++;
    if (this.#first.length < MOST) this.#first.push(each);
  }

  get told(): Told<Each> {
    return { count: this.#count, first: [...this.#first] };
  }
}
