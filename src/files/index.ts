// Files: trees of this host into the vault and back.

export { type CaptureFilesOptions, captureFiles, FILES } from './capture/capture.ts';
export type { Change } from './in-place/changes.ts';
export {
  confirmInPlace,
  type ExecuteOptions,
  type InPlaceOptions,
  type InPlaceResult,
  planInPlace,
  restoreInPlace,
  rollbackInPlace,
  runsInPlace,
} from './in-place/restore.ts';
export { type Selection, treePath } from './restore/select.ts';
export { type WriteTreeOptions, type WrittenTree, writeTree } from './restore/write-tree.ts';
export type { ScanRules } from './scan/rules.ts';
export type { FilesDetails, FilesProgress, FilesSource, Told } from './types.ts';
