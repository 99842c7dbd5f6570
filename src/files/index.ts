// Files: trees of this host into the vault and back.

export { type CaptureFilesOptions, captureFiles, captureTree, FILES } from './capture/capture.ts';
export { type PresentOptions, presentDirectory, presentEntries } from './capture/present.ts';
export { straightRoots } from './capture/roots.ts';
export { type Comparable, differingAspects } from './compare/differences.ts';
export { type ComparedTree, compareBeside } from './compare/restored.ts';
export { type DiffFilesOptions, diffFiles } from './diff/diff.ts';
export { type Exported, type ExportOptions, exportToFile, exportToStream } from './export/export-tree.ts';
export { type FindFilesOptions, findFiles } from './find/find.ts';
export type { Amount, Change } from './in-place/change.ts';
export { type ComparedInPlace, compareInPlace } from './in-place/compare.ts';
export { beginRollback, confirmInPlace, rollbackInPlace } from './in-place/end.ts';
export type { PlaceGuard } from './in-place/hold.ts';
export type { Phase } from './in-place/journal.ts';
export { planInPlace } from './in-place/plan.ts';
export { restoreInPlace } from './in-place/restore.ts';
export { runsInPlace } from './in-place/runs.ts';
export type {
  EndOptions,
  EndResult,
  ExecuteOptions,
  InPlaceOptions,
  InPlacePlan,
  InPlaceResult,
  PlanOptions,
  RunInPlace,
  WholeRestore,
} from './in-place/types.ts';
export { type MirrorOptions, mirrorFiles, mirrorMemory, mirrorReport } from './mirror/mirror.ts';
export { type MirrorTarget, readMark } from './mirror/target.ts';
export { chooseSnapshot } from './plan/choose-snapshot.ts';
export { type LaterRoots, laterRoots } from './plan/later-roots.ts';
export { type PlanFilesOptions, planFiles } from './plan/plan.ts';
export { capturePulled } from './pull/capture-pulled.ts';
export { kindOf, requireAttributes } from './pull/pull.ts';
export { pushCommand } from './pull/push-command.ts';
export { type BesideOptions, besideState, finishBeside, restoreBeside, undoBeside } from './restore/beside.ts';
export { type Selection, treePath } from './restore/select.ts';
export { type WriteTreeOptions, type WrittenTree, writeTree } from './restore/write-tree.ts';
export { type RemoteHost, requireAccess, requireRsync } from './rsync/remote.ts';
export type { ScanRules } from './scan/rules.ts';
export { Telling } from './told.ts';
export type { FilesDetails, FilesProgress, FilesSource, Told } from './types.ts';
export { comesBefore } from './walk-order.ts';
