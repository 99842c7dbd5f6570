// Files: trees of this host into the vault and back.

export { type CaptureFilesOptions, captureFiles, captureTree, FILES } from './capture/capture.ts';
export { type PresentOptions, presentEntries } from './capture/present.ts';
export { straightRoots } from './capture/roots.ts';
export { type Comparable, differingAspects } from './compare/differences.ts';
export { type ComparedTree, compareBeside } from './compare/restored.ts';
export type { Change } from './in-place/changes.ts';
export { runPlace } from './in-place/place.ts';
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
export { type PlanFilesOptions, planFiles } from './plan/plan.ts';
export { type BesideOptions, besideState, restoreBeside, undoBeside } from './restore/beside.ts';
export { type Selection, treePath } from './restore/select.ts';
export { type WriteTreeOptions, type WrittenTree, writeTree } from './restore/write-tree.ts';
export type { ScanRules } from './scan/rules.ts';
export { Telling } from './told.ts';
export type { FilesDetails, FilesProgress, FilesSource, Told } from './types.ts';
export { comesBefore } from './walk-order.ts';
