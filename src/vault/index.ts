// The vault as engines, activities and commands import it.

export { elsewhereWords } from './elsewhere.ts';
export { generateKeyFile } from './key-file.ts';
export { KeyFileRotation } from './key-file-rotation.ts';
export type { KeySource } from './key-sources.ts';
export { letGo } from './let-go.ts';
export { createVault, openVault, type VaultOptions } from './open.ts';
export { readerSha256 } from './reading-kit.ts';
export { logEnd, requireLog } from './require-log.ts';
export { canSyncFileSystem } from './restore/sync.ts';
export {
  type ComponentPolicy,
  type Hold,
  type HoldRequest,
  type PassingHold,
  type PlacedHold,
  type ReleaseRequest,
  type RetentionRequest,
  SHORTEST_GRACE_SECONDS,
  type VaultRetention,
} from './retention/index.ts';
export { type ChoosingVault, copyAway, insteadOf, servingCopy } from './serving-copy.ts';
export type * from './types.ts';
export { standingProofs } from './verify/proofs.ts';
export { noSnapshotOf } from './whose-snapshot.ts';
