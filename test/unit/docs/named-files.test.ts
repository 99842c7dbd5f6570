// A page that names a test, a script or another page names one that is there.

import assert from 'node:assert/strict';
import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '..', '..', '..');
/** Within the text, without a placeholder in it. */
const NAMED =
  /\b(?:test|scripts|src|bench|docs|workflows|activities|config)\/[\w./-]*\w\.(?:test\.ts|ts|mjs|md|yaml|json)\b/g;

async function missingIn(page: string, text: string): Promise<string[]> {
  const named = [...new Set(text.match(NAMED) ?? [])];
  const there = await Promise.all(
    named.map((name) =>
      access(path.join(root, name)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return named.filter((_, at) => !there[at]).map((name) => `${page}: ${name}`);
}

test('every file that a page names is there', async () => {
  const pages = (await readdir(path.join(root, 'docs'))).filter((name) => name.endsWith('.md'));
  const missing = await Promise.all(
    ['README.md', ...pages.map((name) => `docs/${name}`)].map(async (page) =>
      missingIn(page, await readFile(path.join(root, page), 'utf8')),
    ),
  );
  assert.deepEqual(missing.flat(), []);
});

test('one that is not there is found', async () => {
  const text = 'see `src/errors/catalogue.ts`, `test/unit/docs/gone.test.ts` and (docs/gone.md)';
  assert.deepEqual(await missingIn('a page', text), ['a page: test/unit/docs/gone.test.ts', 'a page: docs/gone.md']);
});
