// Every workflow that the control worker runs; the names are what `temporal workflow start --type` takes.

export { applyRetention } from './apply-retention.ts';
export { backupConfiguration } from './backup-configuration.ts';
export { backupDatabase } from './backup-database.ts';
export { backupFiles } from './backup-files.ts';
export { backupRedis } from './backup-redis.ts';
export { catchUpCopy } from './catch-up-copy.ts';
export { confirmRestore } from './confirm-restore.ts';
export { dumpDatabase } from './dump-database.ts';
export { loadDump } from './load-dump.ts';
export { mirrorFiles } from './mirror-files.ts';
export {
  checkComponent,
  describeEstate,
  diffConfiguration,
  diffFiles,
  findFiles,
  planFiles,
  planLoad,
  planPart,
  planRedis,
  planRestore,
  stopRecovered,
} from './questions.ts';
export { restoreDatabase } from './restore-database.ts';
export { restoreFiles } from './restore-files.ts';
export { restorePart } from './restore-part.ts';
export { restoreRedis } from './restore-redis.ts';
export { rollbackRestore } from './rollback-restore.ts';
export { shipLog } from './ship-log.ts';
export { verifySnapshots } from './verify-snapshots.ts';
