// What is in a root, made of what a scan has found.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NeverCaptured, presentOf } from '../../../src/files/in-place/present.ts';
import type { Found, FoundBatch } from '../../../src/files/scan/found.ts';

const ofSnapshot = { exclude: ['*.tmp', '/old/'], oneFileSystem: true, cacheTags: true };

async function* batches(...all: Partial<FoundBatch>[]): AsyncGenerator<FoundBatch> {
  for (const batch of all) yield { found: [], unseen: [], leftOut: [], ...batch };
}

function found(path: string, type: Found['type'] = 'file'): Found {
  const numbers = { links: 1n, device: 1n, inode: 1n, mtimeNs: 1n, ctimeNs: 1n, rdev: 0n };
  return { path, type, mode: 0o644, uid: 0, gid: 0, sizeBytes: 1, hasHoles: false, ...numbers };
}

async function look(source: AsyncIterable<FoundBatch>, onGone?: (path: string) => void): Promise<string[]> {
  const seen: string[] = [];
  const options = { root: '/real', top: 'srv/link', ofSnapshot, ...(onGone && { onGone }) };
  for await (const { path, held, found: is } of presentOf(source, options)) {
    seen.push(`${path}${is ? '' : ' unseen'}${held ? ` ${held}` : ''}`);
  }
  return seen;
}

describe('what is in a root', () => {
  it('is named as the snapshot names it, with what is left out in its place', async () => {
    const batch = {
      found: [found('real', 'directory'), found('real/a'), found('real/disk', 'directory'), found('real/z')],
      leftOut: [
        { path: 'real/b', why: 'excluded' as const },
        { path: 'real/disk', why: 'mount' as const },
        { path: 'real/zz', why: 'socket' as const },
      ],
    };
    assert.deepEqual(await look(batches(batch)), [
      'srv/link',
      'srv/link/a',
      'srv/link/b unseen excluded',
      'srv/link/disk mount',
      'srv/link/z',
      'srv/link/zz unseen socket',
    ]);
  });

  it('is left alone where the rules of then left it out, told once for a directory', async () => {
    const all = [found('real', 'directory'), found('real/a.tmp'), found('real/old', 'directory')];
    const seen = await look(batches({ found: all }, { found: [found('real/old/in'), found('real/older')] }));
    assert.deepEqual(seen, [
      'srv/link',
      'srv/link/a.tmp unseen excluded',
      'srv/link/old unseen excluded',
      'srv/link/older',
    ]);
  });

  it('lacks a directory that went away meanwhile, with a word, and is not known where one may not be looked at', async () => {
    const gone: string[] = [];
    const vanished = { found: [found('real', 'directory')], unseen: [{ path: 'real/a', code: 'ENOENT' }] };
    assert.deepEqual(await look(batches(vanished), (path) => gone.push(path)), ['srv/link']);
    assert.deepEqual(gone, ['real/a']);
    const closed = look(batches({ unseen: [{ path: 'real/a', code: 'EACCES' }] }));
    await assert.rejects(closed, { code: 'TARGET_UNFIT', message: /'\/real\/a' cannot be looked at \(EACCES\)/ });
  });

  it('may be anything that a snapshot could not capture, once it lacks more than it tells of', () => {
    const none = { count: 0, first: [] };
    const some = new NeverCaptured({ unseen: { count: 1, first: [{ path: 'a/b', code: 'EIO' }] }, leftOut: none });
    assert.deepEqual(
      ['a', 'a/b', 'a/b/c', 'a/bc'].map((path) => some.has(path)),
      [false, true, true, false],
    );
    const more = new NeverCaptured({ unseen: { count: 2, first: [{ path: 'a/b', code: 'EIO' }] }, leftOut: none });
    assert.ok(more.isAny && more.has('z'));
  });
});
