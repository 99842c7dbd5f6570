// A run in which a test was skipped, is to be written, or was never registered has failed, though node:test calls it passed.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { tryRun } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const scripts = path.resolve(import.meta.dirname, '../../../scripts/test');
interface Tests {
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly empty: readonly string[];
}
const { judge } = (await import(path.join(scripts, 'judge.mjs'))) as {
  judge(tests: Tests, checked: readonly boolean[]): { passed: number; failed: number; words: readonly string[] };
};

const runs = {
  'test that holds': { source: "test('it', () => {})", passed: 1, failed: 0, words: 0 },
  'test that fails': { source: "test('it', () => { throw new Error('no') })", passed: 0, failed: 1, words: 0 },
  'skipped test beside one that holds': {
    ...{
      source: "test('it', () => {}); test('other', { skip: 'no server' }, () => {})",
      passed: 1,
      failed: 1,
      words: 1,
    },
  },
  'test to be written': { source: "test('it', () => {}); test.todo('other')", passed: 1, failed: 1, words: 1 },
  'test that skips itself': { source: "test('it', (t) => t.skip())", passed: 0, failed: 1, words: 1 },
  'file without a test': { source: 'void test', passed: 0, failed: 1, words: 1 },
  'process that dies after its test': {
    ...{
      source: "test('it', () => {}); process.on('exit', () => { process.exitCode = 3 })",
      passed: 1,
      failed: 1,
      words: 0,
    },
  },
};

for (const [what, { source, ...expected }] of Object.entries(runs)) {
  test(`a ${what}: ${expected.failed} failed`, async (t) => {
    const { words, ...counts } = judge(await runFile(t, source), []);
    assert.deepEqual({ ...counts, words: words.length }, expected);
  });
}

test('a check that failed is one failure more, and nothing at all is a failure', () => {
  const none = { ok: true, passed: 0, failed: 0, skipped: [], empty: [] };
  assert.deepEqual(judge({ ...none, passed: 3 }, [true, false]), { passed: 4, failed: 1, words: [] });
  assert.deepEqual(judge(none, []), { passed: 0, failed: 1, words: [] });
});

async function runFile(t: Parameters<typeof temporaryDirectory>[0], source: string): Promise<Tests> {
  const directory = await temporaryDirectory(t);
  const [file, summary] = [path.join(directory, 'planted.test.mjs'), path.join(directory, 'summary.json')];
  await writeFile(file, `import { test } from 'node:test';\n${source};\n`);
  // Otherwise it takes itself for a file of the run that it is in.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const runner = path.join(scripts, 'run-files.mjs');
  const { exitCode } = await tryRun(process.execPath, [runner, summary, '60000', file], { env, cwd: directory });
  return { ...JSON.parse(await readFile(summary, 'utf8')), ok: exitCode === 0 };
}
