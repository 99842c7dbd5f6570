// Configuration: files, outputs of commands, and their history in Git.

export {
  type CaptureConfigurationOptions,
  type CapturedConfiguration,
  CONFIGURATION,
  captureConfiguration,
} from './capture.ts';
export { type ConfigurationDiff, type DiffOptions, diffConfiguration } from './diff.ts';
export { type Drift, type DriftedName, type DriftOptions, driftOf } from './drift.ts';
export { readingInWalkOrder, type SnapshotSource } from './in-walk-order.ts';
export { existingPaths, isPattern, pathsNow } from './paths.ts';
export { type Place, placeOf } from './place.ts';
export { type Places, placesOf } from './places.ts';
export { askRemote, DIVERGED, lastPush, type PushOutcome } from './repository/push.ts';
export type { Remote } from './repository/remote.ts';
export type {
  CommandOutcome,
  CommandSpec,
  ConfigurationDetails,
  ConfigurationSource,
  FoundSecret,
  OwnSecrets,
  RedactionRule,
  RepositoryDetails,
  TextChanges,
  Withheld,
} from './types.ts';
