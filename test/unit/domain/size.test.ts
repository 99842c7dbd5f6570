// Sizes: how they are told, and that one function tells them.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { bytesText } from '../../../src/domain/size.ts';

const root = path.resolve(import.meta.dirname, '..', '..', '..');

test('bytes are told in binary units with three digits', () => {
  const told = [0, 1023, 1024, 22.2 * 2 ** 20, 311 * 2 ** 20, 2 ** 30, 1.5 * 2 ** 40].map(bytesText);
  assert.deepEqual(told, ['0 B', '1023 B', '1.0 KiB', '22.2 MiB', '311 MiB', '1.0 GiB', '1.5 TiB']);
});

/** A number put together with a unit, or a list of units to choose from. */
const telling = /\}\s?(?:[kKMGT]i?B)\b(?!\/s)|\[[^\]]*'[MG]i?B'/;

async function files(folder: string, ending: RegExp): Promise<string[]> {
  const names = await readdir(path.join(root, folder), { recursive: true });
  return names.filter((name) => ending.test(name)).map((name) => path.join(folder, name));
}

test('no other place puts a size in words', async () => {
  const sources = (
    await Promise.all(
      ['src', 'activities', 'workflows', 'config', 'scripts'].map((each) => files(each, /\.m?ts$|\.mjs$/)),
    )
  ).flat();
  assert.ok(sources.length > 200, `${sources.length} files`);
  const texts = await Promise.all(sources.map((file) => readFile(path.join(root, file), 'utf8')));
  const found = sources.filter((_, index) => telling.test(texts[index] ?? ''));
  // The reading kit stands alone on every copy and imports nothing of ours.
  assert.deepEqual(found.toSorted(), ['src/domain/size.ts', 'src/rescue/rescue.mjs']);
  const planted = ['`$' + '{(bytes / 1e6).toFixed(1)} MB`', "const [unit] = ['MiB', 'GiB'];", '`$' + '{size} GiB`'];
  for (const other of planted) {
    assert.match(other, telling);
  }
});

test('the documentation tells sizes in binary units too', async () => {
  const pages = ['README.md', ...(await files('docs', /\.md$/))];
  for (const page of pages) {
    const text = await readFile(path.join(root, page), 'utf8');
    assert.deepEqual(text.match(/\d (?:kB|KB|MB|GB|TB)\b.*/g), null, page);
  }
});
