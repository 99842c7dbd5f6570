// The catalogue of errors: closed, well worded, and the only way an error is made.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { CatalogueEntry } from '../../../src/errors/catalogue.ts';
import {
  catalogue,
  exitCodes,
  fail,
  fromErrorData,
  HoldfastError,
  isHoldfastError,
  toHoldfastError,
} from '../../../src/errors/index.ts';

const root = path.resolve(import.meta.dirname, '..', '..', '..');
const entries = Object.entries(catalogue) as [string, CatalogueEntry][];

describe('the catalogue', () => {
  test('every entry begins small, ends without a full stop and has a hint', () => {
    for (const [code, { meaning, hint }] of entries) {
      assert.match(code, /^[A-Z][A-Z_]+$/);
      for (const text of [meaning, hint]) {
        assert.ok(text.length > 8 && !text.endsWith('.'), `${code}: '${text}'`);
        assert.match(text, /^([a-z`]|PostgreSQL|pg_hba)/, code);
      }
    }
  });

  test('every exit status is one of the documented ones and never 0', () => {
    const allowed = new Set(Object.values(exitCodes) as number[]);
    for (const [code, { exit }] of entries) assert.ok(exit !== 0 && allowed.has(exit), code);
  });

  test('every code is used by the program, so that the documentation lists nothing that cannot happen', async () => {
    const files = (await Promise.all(['src', 'config', 'activities', 'workflows'].map(sourceFiles))).flat();
    const texts = await Promise.all(
      files.filter((file) => !file.endsWith('errors/catalogue.ts')).map((file) => readFile(file, 'utf8')),
    );
    const unused = entries.map(([code]) => code).filter((code) => !texts.some((text) => text.includes(`'${code}'`)));
    assert.deepEqual(unused, []);
  });
});

async function sourceFiles(folder: string): Promise<string[]> {
  const directory = path.join(root, folder);
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith('.ts')).map((name) => path.join(directory, name));
}

describe('an error', () => {
  test('takes the hint of the catalogue when the place that throws knows nothing better', () => {
    assert.equal(new HoldfastError('NO_SPACE', 'x').hint, catalogue.NO_SPACE.hint);
    assert.equal(new HoldfastError('NO_SPACE', 'x', { hint: 'y' }).hint, 'y');
  });

  test('travels through JSON and comes back the same', () => {
    const error = new HoldfastError('TARGET_OUTSIDE', "'x' lies before the window", { details: { nearest: ['a'] } });
    const back = fromErrorData(JSON.parse(JSON.stringify(error)));
    assert.deepEqual(back.toJSON(), error.toJSON());
    assert.equal(back.exit, exitCodes.refused);
  });

  test('of an unknown code or kind becomes INTERNAL and keeps its cause', () => {
    assert.equal(fromErrorData({ code: 'toString', message: 'x' }).code, 'INTERNAL');
    const cause = new TypeError('odd');
    const known = toHoldfastError(cause);
    assert.deepEqual([known.code, known.message, known.cause], ['INTERNAL', 'odd', cause]);
    assert.equal(toHoldfastError('text').message, 'text');
    for (const code of ['ENOSPC', 'EDQUOT']) {
      assert.equal(toHoldfastError(Object.assign(new Error('full'), { code })).code, 'NO_SPACE');
    }
    assert.equal(toHoldfastError(Object.assign(new Error('odd'), { code: 'EIO' })).code, 'INTERNAL');
  });

  test('is recognised by its code', () => {
    assert.throws(
      () => fail('FENCED', 'x'),
      (error) => isHoldfastError(error, 'FENCED') && !isHoldfastError(error, 'STUCK'),
    );
    assert.ok(!isHoldfastError(new Error('x')));
  });
});
