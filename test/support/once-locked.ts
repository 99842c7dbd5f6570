// Lets something happen between the moment a file is locked and the moment its holder says so: the first `sh` that is started does it.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryDirectory } from './temporary.ts';

/**
 * `command` is for a shell, with `argument` as `$1`. Until the test ends, in this whole process. Returns the file that has the process id of
 * that `sh` afterwards.
 */
export async function onceLocked(
  t: { after(fn: () => Promise<void>): void },
  command: string,
  argument: string,
): Promise<string> {
  const folder = path.join(await temporaryDirectory(t), 'bin');
  await mkdir(folder);
  const seen = path.join(folder, 'seen');
  const shell = path.join(folder, 'sh');
  const happens = `if [ ! -e '${seen}' ]; then echo $$ >'${seen}'; set -- '${argument}'; ${command}; fi`;
  await writeFile(shell, `#!/bin/sh\n(${happens}) </dev/null >/dev/null\nexec /bin/sh "$@"\n`);
  await chmod(shell, 0o755);
  const { PATH = '' } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  t.after(async () => {
    process.env.PATH = PATH;
  });
  return seen;
}
