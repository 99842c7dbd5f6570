// What can be asked of a child process, and what is known when it has ended.

import type { Readable, Writable } from 'node:stream';

export interface ProcessOptions {
  readonly cwd?: string;
  /** Added to the few variables every child gets (see `childEnvironment`); secrets go here, never into arguments. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Name of the user to run as, with its groups and home; only root may name another user than itself. */
  readonly runAs?: string;
  /** When it aborts, the whole process group gets SIGTERM, and SIGKILL after `graceMs`. */
  readonly signal?: AbortSignal;
  /** Ends the process group like an abort does; without it there is no limit. */
  readonly deadlineMs?: number;
  /** Between SIGTERM and SIGKILL; default 10,000. */
  readonly graceMs?: number;
  /** Values that must not show in `stderrTail` and in errors, should the program print them. */
  readonly secrets?: readonly string[];
  /** How much of the end of stderr is kept; default 16,384 characters. */
  readonly stderrTailChars?: number;
}

export interface RunOptions extends ProcessOptions {
  /** Written to stdin, which is then closed; without it stdin is empty. */
  readonly input?: string | Uint8Array;
  /** More than this on stdout ends the process as failed; default 16 MiB. */
  readonly maxStdoutBytes?: number;
  /** Exit statuses that mean success for `run`; default `[0]`. */
  readonly okExitCodes?: readonly number[];
}

export interface StartOptions extends ProcessOptions {
  /** A file that stdout and stderr are appended to; without it stdout is a stream and stderr is kept as a tail. */
  readonly logFile?: string;
  /** Gives the child our own terminal for all three streams, and keeps it in our process group, so that keys pressed reach it. */
  readonly terminal?: boolean;
  /** Lets the child live on when this process ends; needs `logFile`, as nobody would be there to read a pipe. */
  readonly outlive?: boolean;
}

/** How a process ended. Why it failed is data, for decisions; a message for people is made from it by `processError`. */
export interface ProcessResult {
  /** Program and arguments as one line for people. */
  readonly command: string;
  readonly pid: number;
  /** `undefined` when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** Ended by us because `deadlineMs` had passed. */
  readonly timedOut: boolean;
  /** Ended by us because the abort signal fired or `stop` was called. */
  readonly isCanceled: boolean;
  /** Ended by us because it wrote more than `maxStdoutBytes`. */
  readonly overflowed: boolean;
  /** Text of stdout from `run`; empty from `start`, whose stdout is a stream or a file. */
  readonly stdout: string;
  /** The end of stderr, without the secrets. */
  readonly stderrTail: string;
  readonly durationMs: number;
}

/** A process id alone may be another process tomorrow; with the time it started (boot and clock tick) it is one process for ever. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export interface RunningProcess {
  readonly pid: number;
  readonly identity: ProcessIdentity;
  /** Absent with `logFile` and `terminal`. */
  readonly stdin: Writable | undefined;
  /** Absent with `logFile` and `terminal`. Must be read: a process whose output nobody takes does not end. */
  readonly stdout: Readable | undefined;
  /** The end of stderr so far, without the secrets. */
  readonly stderrTail: () => string;
  /** Resolves when the process has ended *and* its streams have; never rejects. */
  readonly finished: Promise<ProcessResult>;
  /** Like `finished`, but throws `processError` unless the exit status is 0. */
  succeeded(): Promise<ProcessResult>;
  /** Signals the process group (default SIGTERM), SIGKILL after the grace period, and waits. No error when it has ended already. */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly graceMs?: number }): Promise<ProcessResult>;
}
