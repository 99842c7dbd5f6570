// What the vault's worker threads load to look at pages while they read relation files: each page's checksum.

import type { PageInspector } from '../../vault/types.ts';
import { PageChecker } from './page-checksum.ts';

export interface PageInspectorSettings {
  readonly pageSizeBytes: number;
  /** Pages changed at or after this position pass: the log repairs them. */
  readonly startLsn: bigint;
}

export function makeInspector({ pageSizeBytes, startLsn }: PageInspectorSettings): PageInspector {
  const checker = new PageChecker(pageSizeBytes, startLsn);
  return { pageSizeBytes, isGood: (bytes, at, page) => checker.isGood(bytes, at, page) };
}
