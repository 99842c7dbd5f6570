// Makes what a package holds: the sources compiled to dist/, and the workflows bundled for the worker.
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import { elapsed } from './set-up/report.mjs';
import { run } from './set-up/run.mjs';
import { repositoryRoot } from './setup.mjs';

const node = path.join(repositoryRoot, 'node_modules', '.bin', 'node');

async function make(what, args) {
  const startedAt = performance.now();
  const made = await run(node, args, { cwd: repositoryRoot, timeoutMs: 600_000 });
  if (!made.ok) {
    process.stderr.write(
      `${made.stdout}${made.stderr}build failed: ${what}\n  hint: run '${[node, ...args].join(' ')}'\n`,
    );
    process.exit(1);
  }
  process.stderr.write(`build  ${what}  (${elapsed(startedAt)})\n`);
}

await rm(path.join(repositoryRoot, 'dist'), { recursive: true, force: true });
await make('dist/', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
await make('dist/workflow-bundle.js', ['scripts/build/bundle-workflows.mjs']);
// What every copy of a vault gets, read from where the sources have it.
for (const file of ['docs/vault-format.md', 'src/rescue/rescue.mjs']) {
  await cp(path.join(repositoryRoot, file), path.join(repositoryRoot, 'dist', file));
}
