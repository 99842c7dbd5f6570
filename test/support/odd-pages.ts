// An inspector of pages for tests: good is a page that holds its own number, and a page may be called whole only when it is seen again.

import type { PageInspector } from '../../src/vault/types.ts';

export interface OddPagesSettings {
  readonly pageSizeBytes: number;
  /** Called bad when they are first looked at. */
  readonly torn: readonly number[];
}

export function makeInspector({ pageSizeBytes, torn }: OddPagesSettings): PageInspector {
  const waiting = new Set(torn);
  return {
    pageSizeBytes,
    isGood: (bytes, at, page) => !waiting.delete(page) && bytes.readUInt32LE(at) === page,
  };
}
