// What the preferred copy did not give of the files of a snapshot: how much came from which other copy, and why.

import { bytesText } from '../domain/size.ts';
import type { HoldfastError } from '../errors/index.ts';
import type { Copy } from './copies.ts';
import type { FromElsewhere } from './snapshot-types.ts';

export class Elsewhere {
  readonly #preferred: Copy | undefined;
  readonly #bytes = new Map<string, number>();
  #why = '';

  /** `copies`: in order of preference. */
  constructor([preferred]: readonly Copy[]) {
    this.#preferred = preferred;
  }

  /** The first reason is told: those that follow are mostly of the same cause. */
  refused(copy: Copy, { message }: HoldfastError): void {
    if (copy === this.#preferred) this.#why ||= message;
  }

  gave(copy: Copy, sizeBytes: number): void {
    const { name } = copy.description;
    if (copy !== this.#preferred) this.#bytes.set(name, (this.#bytes.get(name) ?? 0) + sizeBytes);
  }

  get told(): readonly FromElsewhere[] {
    const preferred = this.#preferred?.description.name ?? '';
    return [...this.#bytes].map(([copy, bytes]) => ({ copy, bytes, preferred, why: this.#why }));
  }
}

/** A sentence each, for the warnings of a result. */
export function elsewhereWords(told: readonly FromElsewhere[]): string[] {
  return told.map(
    ({ copy, bytes, preferred, why }) =>
      `${bytesText(bytes)} were read from copy '${copy}', because '${preferred}' did not give them: ${why}`,
  );
}
