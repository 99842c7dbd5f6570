// Redis and Valkey: data of running servers into the vault and back.

export { type CaptureAofOptions, captureAof } from './aof/capture-aof.ts';
export { type AofDetails, choosePart, hasTimes, momentOf, windowFrom } from './aof/details.ts';
export { type AppendOnlyPlace, runKeeper } from './aof/keeper.ts';
export { type KeptReport, reportKept } from './aof/kept-report.ts';
export { keepRoom } from './aof/lost-sets.ts';
export { type CaptureRdbOptions, captureRdb } from './capture/capture-rdb.ts';
export { parseAddress, RedisConnection } from './connection/index.ts';
export { identify, requireStandalone, type ServerIdentity } from './identity.ts';
export { type ChosenRedis, chooseRedis } from './plan/choose.ts';
export { removeLeftCounts } from './plan/counting-place.ts';
export { type PlanRedisOptions, planRedis } from './plan/plan.ts';
export { overBy, type RdbFacts } from './rdb/index.ts';
export {
  isMarked,
  markedRun,
  type RestoreBesideOptions,
  type RestoredBeside,
  restoreBeside,
  runningBeside,
  stopBeside,
  undoBeside,
} from './restore/beside.ts';
export { SERVER } from './restore/directory-in-use.ts';
export { storedDetails } from './restore/fetch.ts';
export {
  confirmInPlace,
  type InPlace,
  type RestoreInPlaceOptions,
  restoreInPlace,
  rollbackInPlace,
  type ServerService,
} from './restore/in-place.ts';
export { confirmLive, type RestoreLiveOptions, restoreLive, rollbackLive } from './restore/live.ts';
export type { LivePlace } from './restore/live-place.ts';
export { requireLiveFit } from './restore/live-server.ts';
export {
  confirmKeys,
  type KeysPlan,
  planKeys,
  type RestoreKeysOptions,
  restoreKeys,
  rollbackKeys,
} from './restore/pattern.ts';
export {
  allRuns,
  isListOfKeys,
  type LeftRun,
  openRuns,
  type RunPhase,
  requireNoOther,
  runIn,
} from './restore/runs-left.ts';
export type { DataLayout } from './restore/stage.ts';
export { untilAnswers } from './restore/until-answers.ts';
export { requireSynchronising } from './sync/index.ts';
export type { Comparison } from './throwaway/compare.ts';
export { proveRdb } from './throwaway/prove.ts';
export { findTools } from './tools.ts';
export {
  AOF,
  type CaptureServer,
  type CaptureWay,
  captureWays,
  RDB,
  type RdbDetails,
  type RedisSource,
} from './types.ts';
