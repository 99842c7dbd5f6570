// Sets the machine up and runs the tests: all of them with the type check and the linters, or the files that are named.
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { elapsed } from './set-up/report.mjs';
import { run } from './set-up/run.mjs';
import { explainAndExit, repositoryRoot, setUp } from './setup.mjs';
import { judge } from './test/judge.mjs';
import { printLogTails } from './test/log-tails.mjs';
import { startSharedServers } from './test/shared-servers.mjs';

/** Nothing that ends takes this long; what hangs must not hang the whole run. A full sweep is run by hand. */
const testTimeoutMs = process.env.HOLDFAST_SWEEP === 'full' ? 4 * 3_600_000 : 20 * 60_000;
const checks = {
  'type check': ['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'],
  biome: ['node_modules/@biomejs/biome/bin/biome', 'check', '.'],
  eslint: ['node_modules/eslint/bin/eslint.js', '.'],
};

/** @returns {Promise<boolean[]>} for each check whether it passed */
async function runChecks(node) {
  return Promise.all(
    Object.entries(checks).map(async ([name, args]) => {
      const startedAt = performance.now();
      const result = await run(node, args, { cwd: repositoryRoot, timeoutMs: 600_000 });
      process.stdout.write(`${result.ok ? '✔' : '✖'} ${name}  (${elapsed(startedAt)})\n`);
      if (!result.ok) process.stdout.write(`${result.stdout}${result.stderr}\n`);
      return result.ok;
    }),
  );
}

/** @returns {Promise<{ ok: boolean, passed: number, failed: number, skipped: string[], empty: string[], failures: { file: string, name: string, error: string }[], failedFiles: string[] }>} */
async function runTests(node, files, env, runDirectory) {
  const summaryFile = path.join(runDirectory, 'summary.json');
  const child = spawn(node, ['scripts/test/run-files.mjs', summaryFile, String(testTimeoutMs), ...files], {
    cwd: repositoryRoot,
    env: { ...process.env, ...env, HOLDFAST_TEST_RUN: runDirectory },
    stdio: 'inherit',
  });
  running.add(child);
  const code = await new Promise((resolve) => child.once('close', resolve));
  running.delete(child);
  const summary = await readFile(summaryFile, 'utf8').then(JSON.parse, () => undefined);
  if (!summary) return { ok: false, passed: 0, failed: 1, skipped: [], empty: [], failures: [], failedFiles: files };
  return { ...summary, ok: code === 0 };
}

const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of running) child.kill(signal);
    process.exitCode = 1;
  });
}

async function main(files) {
  const { node } = await setUp('test').catch(explainAndExit);
  const runDirectory = await mkdtemp(path.join(os.tmpdir(), 'holdfast-test-'));
  await chmod(runDirectory, 0o755);
  await mkdir(path.join(runDirectory, 'logs'));
  const checked = files.length > 0 ? [] : await runChecks(node.path);
  const servers = await startSharedServers(node.path, repositoryRoot, runDirectory);
  const selected = files.length > 0 ? files : ['test/**/*.test.ts'];
  const tests = await runTests(node.path, selected, servers.env, runDirectory).finally(servers.stop);
  const { passed, failed, words } = judge(tests, checked);
  for (const line of words) process.stdout.write(`${line}\n`);
  if (failed > 0) {
    await printLogTails(path.join(runDirectory, 'logs'), tests.failedFiles);
    // Last, because the end of the output is what is kept where a run cannot be watched.
    for (const { file, name, error } of tests.failures) process.stdout.write(`\n✖ ${file}: ${name}\n${error}\n`);
    process.stdout.write(`\nthe logs of this run are kept in ${runDirectory}\n`);
  } else {
    await rm(runDirectory, { recursive: true, force: true });
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exit(failed > 0 ? 1 : (process.exitCode ?? 0));
}

await main(process.argv.slice(2));
