// Base backups as the activities use them.

export { BecomesPrimary } from './becomes-primary.ts';
export { requireFitStandby } from './standby.ts';
export {
  type BaseBackupProgress,
  type BaseBackupRequest,
  type TakeBaseBackupOptions,
  takeBaseBackup,
} from './take-base-backup.ts';
