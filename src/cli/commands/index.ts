// All commands, in the order of the help page.

import type { AnyCommand } from '../define.ts';
import { backup } from './backup.ts';
import { check } from './check.ts';
import { configCheck, configShow } from './config.ts';
import { configurationDiff } from './configuration.ts';
import { catchUp, copies, copiesAccept, copiesAdd, copiesRepair } from './copies.ts';
import { approve, deny } from './decide.ts';
import { confirm, resume, rollback } from './end-restore.ts';
import { filesDiff } from './files-diff.ts';
import { filesExport } from './files-export.ts';
import { filesFind } from './files-find.ts';
import { filesMirror } from './files-mirror.ts';
import { keysAdd, keysList, keysRemove, keysRotate, keysTest } from './keys.ts';
import { list } from './list.ts';
import { restore } from './restore.ts';
import { retentionApply, retentionHold, retentionPlan, retentionRelease } from './retention.ts';
import { cancel, history, show } from './runs.ts';
import { sandboxDownCommand, sandboxUpCommand } from './sandbox.ts';
import { schedulesApply, schedulesList } from './schedules.ts';
import { setup } from './setup.ts';
import { monitor, status } from './status.ts';
import { stop } from './stop.ts';
import { testIntegrity } from './test.ts';
import { worker } from './worker.ts';

export const allCommands: readonly AnyCommand[] = [
  setup,
  worker,
  check,
  backup,
  restore,
  resume,
  rollback,
  confirm,
  stop,
  approve,
  deny,
  cancel,
  show,
  status,
  list,
  history,
  monitor,
  copies,
  catchUp,
  copiesRepair,
  testIntegrity,
  copiesAdd,
  copiesAccept,
  keysList,
  keysAdd,
  keysRemove,
  keysRotate,
  keysTest,
  retentionPlan,
  retentionApply,
  retentionHold,
  retentionRelease,
  schedulesApply,
  schedulesList,
  filesFind,
  filesDiff,
  filesExport,
  filesMirror,
  configurationDiff,
  configCheck,
  configShow,
  sandboxUpCommand,
  sandboxDownCommand,
];
