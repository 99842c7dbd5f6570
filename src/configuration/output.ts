// Runs a program and keeps what it printed byte by byte, up to a limit, however it ends.

import type { Readable, Writable } from 'node:stream';
import { type ProcessOptions, type ProcessResult, start } from '../process/index.ts';

export interface OutputOptions extends ProcessOptions {
  readonly largestBytes: number;
  readonly input?: string | Uint8Array;
}

export interface Output {
  readonly result: ProcessResult;
  /** At most `largestBytes`. */
  readonly bytes: Buffer;
  /** It printed more and was ended. */
  readonly isCut: boolean;
}

/** Throws only when the program cannot be started. */
export async function outputOf(
  program: string,
  args: readonly string[],
  { largestBytes, input, ...options }: OutputOptions,
): Promise<Output> {
  const child = await start(program, args, options);
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  let isCut = false;
  const stdout = child.stdout as Readable;
  stdout.on('data', (part: Buffer) => {
    if (isCut) return;
    parts.push(part.subarray(0, largestBytes - sizeBytes));
    sizeBytes += part.length;
    if (sizeBytes <= largestBytes) return;
    isCut = true;
    void child.stop();
  });
  // 'close' comes after the end, and also when the stream was cut off.
  const closed = new Promise((resolve) => stdout.once('close', resolve));
  (child.stdin as Writable).end(input);
  const [result] = await Promise.all([child.finished, closed]);
  return { result, bytes: Buffer.concat(parts), isCut };
}
