// Two sorted streams as one: every path once, in walk order, with what each side has of it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sideBySide } from '../../../src/files/compare/side-by-side.ts';
import { walkKey } from '../../../src/files/walk-order.ts';

async function* streamOf(paths: readonly string[]) {
  for (const path of paths) yield { path };
}

async function merged(one: readonly string[], other: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const each of sideBySide(streamOf(one), streamOf(other))) {
    lines.push(`${each.one ? '<' : ' '}${each.other ? '>' : ' '} ${each.path}`);
  }
  return lines;
}

describe('trees side by side', () => {
  it('gives each path once, with what both have of it', async () => {
    assert.deepEqual(await merged(['a', 'a/b', 'c'], ['a', 'a/a', 'd']), ['<> a', ' > a/a', '<  a/b', '<  c', ' > d']);
  });

  it('knows that what is in a directory comes before a name that only begins like it', async () => {
    assert.deepEqual(await merged(['a', 'a/z', 'a-b'], ['a', 'a-b']), ['<> a', '<  a/z', '<> a-b']);
  });

  it('takes an end on either side', async () => {
    assert.deepEqual(await merged([], ['a', 'b']), [' > a', ' > b']);
    assert.deepEqual(await merged(['a', 'b'], []), ['<  a', '<  b']);
    assert.deepEqual(await merged([], []), []);
  });

  it('agrees with sets, for many random trees', async () => {
    let state = 7;
    const next = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 16) % below;
    };
    const tree = () => {
      const paths = Array.from({ length: next(12) }, () =>
        Array.from({ length: 1 + next(3) }, () => 'a-b.c'[next(5)]).join('/'),
      );
      return [...new Set(paths)].sort((a, b) => (walkKey(a) < walkKey(b) ? -1 : 1));
    };
    for (let turn = 0; turn < 300; turn++) {
      const [one, other] = [tree(), tree()];
      const lines = await merged(one, other);
      const all = [...new Set([...one, ...other])].sort((a, b) => (walkKey(a) < walkKey(b) ? -1 : 1));
      assert.deepEqual(
        lines,
        all.map((path) => `${one.includes(path) ? '<' : ' '}${other.includes(path) ? '>' : ' '} ${path}`),
      );
    }
  });
});
