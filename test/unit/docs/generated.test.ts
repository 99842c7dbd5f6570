// The generated pages say what the code says.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { stalePages } from '../../../scripts/docs/generate.ts';
import { catalogue } from '../../../src/errors/index.ts';

const root = path.resolve(import.meta.dirname, '..', '..', '..');

test('no generated page is out of step', async () => {
  assert.deepEqual(await stalePages(), [], "run 'node_modules/.bin/node scripts/docs.mjs'");
});

test('every code of the catalogue is explained', async () => {
  const page = await readFile(path.join(root, 'docs/errors.md'), 'utf8');
  const explained = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual(explained, Object.keys(catalogue));
});

test('every key of the configuration has a meaning', async () => {
  const page = await readFile(path.join(root, 'docs/configuration.md'), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| `\w+` \|/.test(line));
  assert.ok(rows.length > 40, `${rows.length} rows`);
  for (const row of rows) assert.match(row, /\| [A-Z“][^|]{10,} \|$/, row);
});
