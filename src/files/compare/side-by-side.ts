// Two trees in walk order, or a tree and a scan, side by side in bounded memory.

import { walkKey } from '../walk-order.ts';

interface Named {
  readonly path: string;
}

/** Every path of either once, in walk order; undefined where it is not. */
export async function* sideBySide<One extends Named, Other extends Named>(
  ones: AsyncIterable<One>,
  others: AsyncIterable<Other>,
): AsyncGenerator<{ readonly path: string; readonly one: One | undefined; readonly other: Other | undefined }> {
  const left = new Ahead(ones);
  const right = new Ahead(others);
  try {
    await Promise.all([left.advance(), right.advance()]);
    while (left.next ?? right.next) {
      const order = compare(left, right);
      const path = (order <= 0 ? left.next : right.next)?.path ?? '';
      yield { path, one: order <= 0 ? left.next : undefined, other: order >= 0 ? right.next : undefined };
      if (order <= 0) await left.advance();
      if (order >= 0) await right.advance();
    }
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

function compare(one: Ahead<Named>, other: Ahead<Named>): number {
  if (!other.next) return -1;
  if (!one.next) return 1;
  if (one.next.path === other.next.path) return 0;
  return one.key < other.key ? -1 : 1;
}

class Ahead<Each extends Named> {
  readonly #source: AsyncIterator<Each>;
  next: Each | undefined;
  key = '';

  constructor(source: AsyncIterable<Each>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async advance(): Promise<void> {
    const step = await this.#source.next();
    this.next = step.done ? undefined : step.value;
    if (this.next) this.key = walkKey(this.next.path);
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
