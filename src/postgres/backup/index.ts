// Base backups as the activities use them.

export {
  type BaseBackupProgress,
  type BaseBackupRequest,
  type TakeBaseBackupOptions,
  takeBaseBackup,
} from './take-base-backup.ts';
