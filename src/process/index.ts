// Child processes as the rest of Holdfast uses them.

export { secondsAlive } from './age.ts';
export { findProgram, findUser, type SystemUser } from './environment.ts';
export { identify, isAlive, type StopOptions, stopByPid } from './identity.ts';
export { type HeldLock, holdLock, isLockHeld } from './lock.ts';
export { processError } from './outcome.ts';
export { inOwnDirectory } from './own-directory.ts';
export { run, tryRun } from './run.ts';
export { start } from './start.ts';
export { redact } from './tail.ts';
export type {
  ProcessIdentity,
  ProcessOptions,
  ProcessResult,
  RunningProcess,
  RunOptions,
  StartOptions,
} from './types.ts';
export { findWorkers, type Workers, worksIn } from './works-in.ts';
