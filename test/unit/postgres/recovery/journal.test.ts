// The journal: lines that are cut off, lines that are wrong, tokens that are old.

import assert from 'node:assert/strict';
import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Journal, type JournalHead, journalStates, parseJournal } from '../../../../src/postgres/recovery/journal.ts';
import { restorePaths } from '../../../../src/postgres/recovery/paths.ts';
import { meets } from '../../../../src/postgres/recovery/recovered-checks.ts';
import { underLock } from '../../../../src/postgres/recovery/under-lock.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';

const head = (dataDirectory: string): JournalHead => ({
  run: 'restore-1',
  estate: 'acme',
  component: 'database/main',
  digest: 'd',
  mode: 'in place',
  dataDirectory,
  keepOldAt: `${dataDirectory}.before-1`,
  workDirectory: `${dataDirectory}.holdfast/runs/restore-1`,
  systemId: '7',
  timeline: 1,
  execution: { binDirectory: '/none', roles: [], preloadLibraries: [], tablespaces: [], checks: [] },
});

test('a last line that was cut off was never acted on, and makes room for the next', async (t) => {
  const dataDirectory = path.join(await temporaryDirectory(t), 'data');
  const paths = restorePaths(dataDirectory, 'restore-1');
  const journal = await Journal.open(paths, { token: 1 }, head(dataDirectory));
  await journal.append('swap', 'begin');
  await appendFile(paths.journal, '{"at":"2026-11-23T06:14:07Z","run":"rest');
  const again = await Journal.open(paths, { token: 1 });
  assert.equal(again.phase, 'swapping');
  await again.append('swap', 'done');
  assert.equal((await journalStates(dataDirectory))[0]?.phase, 'swapped');
  assert.equal((await readFile(paths.journal, 'utf8')).split('\n').length, 4);
});

test('a line in the middle that cannot be read stops everything', () => {
  assert.throws(() => parseJournal('{"step":"plan"}\n{"st\n{"step":"swap"}\n', 'j'), { code: 'JOURNAL_STATE' });
});

test('a smaller token than one in the journal is fenced off', async (t) => {
  const dataDirectory = path.join(await temporaryDirectory(t), 'data');
  const paths = restorePaths(dataDirectory, 'restore-1');
  await (await Journal.open(paths, { token: 7 }, head(dataDirectory))).append('swap', 'begin');
  await assert.rejects(Journal.open(paths, { token: 6 }), { code: 'FENCED' });
  await assert.rejects(Journal.open(paths, { token: 8 }, { ...head(dataDirectory), digest: 'other' }), {
    code: 'PLAN_CHANGED',
  });
});

test('two processes are never beside the same data at once', async (t) => {
  const paths = restorePaths(path.join(await temporaryDirectory(t), 'data'), 'restore-1');
  const order: string[] = [];
  const one = (name: string) =>
    underLock(paths, { token: 1 }, async () => {
      order.push(`${name} in`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      order.push(`${name} out`);
    });
  await Promise.all([one('a'), one('b')]);
  assert.equal(order[0]?.slice(0, 1), order[1]?.slice(0, 1));
  assert.equal(order[2]?.slice(0, 1), order[3]?.slice(0, 1));
});

test('a check meets what it expects, and nothing meets nothing', () => {
  const cases: [unknown, string, boolean][] = [
    [5, '> 0', true],
    ['5', '> 10', false],
    ['10', '> 9', true],
    [0, '> 0', false],
    ['42', '= 42', true],
    ['42.0', '42', true],
    ['ready', '= ready', true],
    ['ready', '!= ready', false],
    ['abc', '> 0', false],
    [null, '= ', false],
    [undefined, '!= x', false],
    [3n, '<= 3', true],
  ];
  for (const [value, expect, wanted] of cases) assert.equal(meets(value, expect), wanted, `${value} ${expect}`);
});
