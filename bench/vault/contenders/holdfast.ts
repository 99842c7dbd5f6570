// Holdfast's vault on one directory, by the driver beside it, compiled as a package is.

import { cp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../../src/errors/index.ts';
import { run, tryRun } from '../../../src/process/index.ts';
import { quoted, shell } from '../../lib/command.ts';
import { describeCommit, repositoryRoot } from '../../lib/machine.ts';
import type { Contender, Place, Work } from '../contender.ts';

const compiled = path.join(repositoryRoot, 'bench', 'dist');
const driver = path.join(compiled, 'bench', 'vault', 'holdfast.js');
const operations: Readonly<Record<Work, string>> = {
  first: 'backup',
  unchanged: 'backup',
  changed: 'backup',
  restore: 'restore',
  check: 'check',
};

async function compile(): Promise<void> {
  await rm(compiled, { recursive: true, force: true });
  const compiler = path.join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const made = await tryRun(process.execPath, [compiler, '-p', 'bench/tsconfig.build.json'], { cwd: repositoryRoot });
  if (made.exitCode !== 0) fail('CHECK_FAILED', `Holdfast does not compile:\n${made.stdout}${made.stderrTail}`);
  for (const file of ['docs/vault-format.md', 'src/rescue/rescue.mjs']) {
    await cp(path.join(repositoryRoot, file), path.join(compiled, file)); // as `npm run build` does
  }
}

export async function holdfast(): Promise<Contender> {
  await compile();
  const argv = (operation: string, place: Place) => [
    ...[process.execPath, '--max-semi-space-size=8', driver, operation, '--copy', place.repository], // as bin/holdfast does
    ...['--key', `${place.home}/key`, '--source', place.source, '--target', place.target],
  ];
  const script = (work: Work, place: Place) => {
    const command = quoted(argv(operations[work], place));
    // It syncs what it stores by itself, but a restored file as little as the others do.
    return work === 'restore' ? `${command}; sync -f ${quoted([place.target])}` : command;
  };
  const { version } = JSON.parse(await readFile(path.join(repositoryRoot, 'package.json'), 'utf8'));
  return {
    name: 'holdfast',
    version: `${version}, commit ${await describeCommit()}, Node ${process.version}`,
    options: 'zstd 3, AES-256-GCM, one copy in a directory, every object synced before the manifest names it',
    async prepare(place) {
      const [program, ...args] = argv('init', place);
      await run(program as string, args);
    },
    command: (work, place) => ({ argv: shell(script(work, place)), cwd: place.source, env: {} }),
  };
}
