// Holdfast itself, compiled as a package is, with the drivers of the benches.

import { cp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../src/errors/index.ts';
import { tryRun } from '../../src/process/index.ts';
import { describeCommit, repositoryRoot } from './machine.ts';

const compiled = path.join(repositoryRoot, 'bench', 'dist');

/** The words that start a bench's driver, `bench/<bench>/holdfast.ts`, as `bin/holdfast` starts the product. */
export async function compileHoldfast(bench: string): Promise<string[]> {
  await rm(compiled, { recursive: true, force: true });
  const compiler = path.join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const made = await tryRun(process.execPath, [compiler, '-p', 'bench/tsconfig.build.json'], { cwd: repositoryRoot });
  if (made.exitCode !== 0) fail('CHECK_FAILED', `Holdfast does not compile:\n${made.stdout}${made.stderrTail}`);
  for (const file of ['docs/vault-format.md', 'src/rescue/rescue.mjs']) {
    await cp(path.join(repositoryRoot, file), path.join(compiled, file)); // as `npm run build` does
  }
  const flags = ['--max-semi-space-size=8', '--heap-growing-percent=100'];
  return [process.execPath, ...flags, path.join(compiled, 'bench', bench, 'holdfast.js')];
}

export async function describeHoldfast(): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(repositoryRoot, 'package.json'), 'utf8'));
  return `${version}, commit ${await describeCommit()}, Node ${process.version}`;
}
