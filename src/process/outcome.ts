// Turns how a process ended into the one error that says so, for the places that cannot go on without success.

import { type ErrorCode, HoldfastError } from '../errors/index.ts';
import type { ProcessResult } from './types.ts';

/** Shown of stderr in a message; the details carry the rest of the tail. */
const messageLines = 3;

function codeAndReason(result: ProcessResult): [ErrorCode, string] {
  if (result.timedOut)
    return ['PROCESS_TIMEOUT', `did not end within its time and was stopped after ${result.durationMs} ms`];
  if (result.isCanceled) return ['CANCELLED', 'was stopped because the operation was cancelled'];
  if (result.overflowed) return ['PROCESS_FAILED', 'wrote more to its output than was expected and was stopped'];
  if (result.signal !== undefined) return ['PROCESS_FAILED', `was ended by ${result.signal}`];
  return ['PROCESS_FAILED', `ended with exit status ${result.exitCode}`];
}

/** `PROCESS_TIMEOUT`, `CANCELLED` or `PROCESS_FAILED`, with the facts in `details` and the program's last words in the message. */
export function processError(result: ProcessResult): HoldfastError {
  const [code, reason] = codeAndReason(result);
  const program = result.command.split(' ', 1)[0]?.split('/').at(-1);
  const lastWords = result.stderrTail.split('\n').slice(-messageLines).join('\n').trim();
  const { command, exitCode, signal, timedOut, isCanceled, overflowed, stderrTail } = result;
  return new HoldfastError(code, `'${program}' ${reason}${lastWords ? `: ${lastWords}` : ''}`, {
    details: { command, exitCode, signal, timedOut, isCanceled, overflowed, stderrTail },
  });
}
