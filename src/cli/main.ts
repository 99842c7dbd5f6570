// The command `holdfast`: runs one command line and leaves with its exit status.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { processIo } from './io.ts';
import { runCli } from './program.ts';
import { typedWords } from './typed-words.ts';

/** From `src/cli/main.ts`, or `dist/src/cli/main.js` of a build, upwards to the package. */
async function readVersion(): Promise<string> {
  for (
    let directory = import.meta.dirname;
    directory !== path.dirname(directory);
    directory = path.dirname(directory)
  ) {
    const text = await readFile(path.join(directory, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
  }
  return 'unknown';
}

// A reader that goes away (`| head`, `2>&1 | tee` after Ctrl-C) is no failure of the command, which is carried to its end.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

// All is said: what still waits for a server that does not answer must not keep the person waiting too.
process.exit(await runCli(await typedWords(process.argv.slice(2)), processIo(), await readVersion()));
