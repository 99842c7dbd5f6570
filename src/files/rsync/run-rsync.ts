// One run of rsync, and what its end means: an exit status is a word of rsync's own, and most of them are not success.

import { HoldfastError } from '../../errors/index.ts';
import { type ProcessResult, processError, tryRun } from '../../process/index.ts';

/** What may be looked past: names that vanished while they were looked at, and deletions that `--max-delete` held back. */
export interface RsyncDone {
  readonly vanished: boolean;
  readonly deletionsHeldBack: boolean;
  readonly files: number;
  /** Of the files, without directories and the like. */
  readonly regularFiles: number;
  readonly deleted: number;
  /** Content that travelled, and everything that came over the line. */
  readonly transferredBytes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly stdout: string;
}

export interface RsyncOptions {
  /** Of the other side, in words. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** Exit statuses, as rsync(1) lists them. */
const status = { done: 0, partial: 23, vanished: 24, maxDelete: 25, files: 11 } as const;
/** The line, or what is at its other end. */
const UNREACHABLE: ReadonlySet<number> = new Set([5, 10, 12, 30, 35, 124, 125, 126, 127, 255]);
const MOST_LINES = 4;

/** Throws `REMOTE_UNREACHABLE`, `RSYNC_INCOMPLETE`, `NO_SPACE`, `CANCELLED`, `PROGRAM_MISSING`, `PROCESS_FAILED`. */
export async function runRsync(args: readonly string[], { what, signal }: RsyncOptions): Promise<RsyncDone> {
  const result = await tryRun('rsync', args, { signal });
  const { exitCode, stdout } = result;
  const isOver = exitCode === status.done || exitCode === status.vanished || exitCode === status.maxDelete;
  if (!isOver || result.isCanceled || result.overflowed) throw judged(result, what);
  const number = (label: string, before = '') =>
    Number(new RegExp(`^${label}: ${before}([\\d,]+)`, 'm').exec(stdout)?.[1]?.replaceAll(',', '') ?? 0);
  return {
    vanished: exitCode === status.vanished,
    deletionsHeldBack: exitCode === status.maxDelete,
    files: number('Number of files'),
    regularFiles: number('Number of files', '[\\d,]+ \\(reg: '),
    deleted: number('Number of deleted files'),
    transferredBytes: number('Total transferred file size'),
    receivedBytes: number('Total bytes received'),
    sentBytes: number('Total bytes sent'),
    stdout,
  };
}

function judged(result: ProcessResult, what: string): HoldfastError {
  const { exitCode, stderrTail } = result;
  if (result.isCanceled || result.overflowed || result.timedOut || exitCode === undefined) return processError(result);
  const said = lastWords(stderrTail, UNREACHABLE.has(exitCode));
  if (/No space left on device|Disk quota exceeded/.test(stderrTail)) {
    return new HoldfastError('NO_SPACE', `there is no more room: ${said}`);
  }
  if (UNREACHABLE.has(exitCode))
    return new HoldfastError('REMOTE_UNREACHABLE', `${what}: ${said}`, { details: { exitCode } });
  if (exitCode === status.partial || exitCode === status.files) {
    return new HoldfastError('RSYNC_INCOMPLETE', `not all of ${what} came over: ${said}`, { details: { exitCode } });
  }
  return processError(result);
}

/** What only repeats the status, or draws a frame, says nothing. */
const NOISE = /^rsync error: |^rsync: connection unexpectedly closed|^\[?@|^\s*$/;

/** Of the line the last words tell most, of names the first that were met. */
function lastWords(stderr: string, isLine: boolean): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.replaceAll('\r', '').trim())
    .filter((line) => !NOISE.test(line));
  const told = isLine ? lines.slice(-MOST_LINES) : lines.slice(0, MOST_LINES);
  return told.join('; ') || stderr.trim();
}
