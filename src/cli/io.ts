// The outside world of a command: its streams, its terminal and its signals, passed in so that tests can be one.

import type { Readable, Writable } from 'node:stream';

export interface Io {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly stdin: Readable;
  /** Whether progress may rewrite its line. */
  readonly stderrIsTerminal: boolean;
  /** Whether somebody can answer a question. */
  readonly stdinIsTerminal: boolean;
  readonly columns: number;
  /** Calls `handler` at every interrupt (^C) or request to end, instead of ending the process; the returned function takes it away again. */
  onInterrupt(handler: () => void): () => void;
}

export function processIo(): Io {
  const { stdin, stdout, stderr } = process;
  return {
    stdin,
    stdout,
    stderr,
    stderrIsTerminal: stderr.isTTY === true,
    stdinIsTerminal: stdin.isTTY === true,
    get columns() {
      return stderr.columns || 100;
    },
    onInterrupt(handler) {
      process.on('SIGINT', handler);
      process.on('SIGTERM', handler);
      return () => {
        process.off('SIGINT', handler);
        process.off('SIGTERM', handler);
      };
    },
  };
}
