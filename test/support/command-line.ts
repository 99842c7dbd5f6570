// The command line in this process, with or without somebody at the terminal, and everything it printed.

import { Readable, Writable } from 'node:stream';
import { runCli } from '../../src/cli/program.ts';

export interface Typed {
  readonly exit: number;
  readonly text: string;
  readonly errors: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field.
  readonly json: any;
}

/** Somebody is at the terminal where there is something `typed`. */
export async function typeHoldfast(args: readonly string[], typed?: string): Promise<Typed> {
  const [stdout, out] = collector();
  const [stderr, err] = collector();
  const stdin = Readable.from(typed === undefined ? [] : [`${typed}\n`]);
  const io = { stdout, stderr, stdin, stderrIsTerminal: false, stdinIsTerminal: typed !== undefined, columns: 100 };
  const exit = await runCli(args, { ...io, onInterrupt: () => () => undefined }, '0');
  const [text, errors] = [out.join(''), err.join('')];
  return { exit, text, errors, json: args.includes('--json') ? JSON.parse(text) : undefined };
}

function collector(): [Writable, string[]] {
  const pieces: string[] = [];
  const write = (chunk: Buffer, _: string, done: () => void) => {
    pieces.push(chunk.toString());
    done();
  };
  return [new Writable({ write }), pieces];
}
