// Looks at every page of a relation's file as it streams by; damage is noted, never a reason to stop.

import type { PageChecker } from './page-checksum.ts';

export interface DamagedPage {
  readonly path: string;
  readonly block: number;
}

export interface PageFile {
  readonly path: string;
  readonly firstBlock: number;
  readonly pageSizeBytes: number;
}

/** Passes the bytes on unchanged. A last piece shorter than a page is being written right now: the log repairs it. */
export async function* verifyPages(
  file: PageFile,
  source: AsyncIterable<Buffer>,
  checker: PageChecker,
  onDamage: (page: DamagedPage) => void,
): AsyncGenerator<Buffer> {
  const { pageSizeBytes } = file;
  const partial = Buffer.alloc(pageSizeBytes);
  let filled = 0;
  let block = file.firstBlock;
  const look = (bytes: Buffer, at: number) => {
    if (!checker.isGood(bytes, at, block)) onDamage({ path: file.path, block });
    block += 1;
  };
  for await (const chunk of source) {
    let at = 0;
    if (filled > 0) {
      at = Math.min(pageSizeBytes - filled, chunk.length);
      partial.set(chunk.subarray(0, at), filled);
      filled += at;
      if (filled === pageSizeBytes) {
        look(partial, 0);
        filled = 0;
      }
    }
    for (; at + pageSizeBytes <= chunk.length; at += pageSizeBytes) look(chunk, at);
    if (at < chunk.length) {
      partial.set(chunk.subarray(at), 0);
      filled = chunk.length - at;
    }
    yield chunk;
  }
}
