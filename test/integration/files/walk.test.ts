// What a scan finds, what it leaves out, and that it never leaves its roots.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CACHE_SIGNATURE, type ScanRules } from '../../../src/files/scan/rules.ts';
import { scan } from '../../../src/files/scan/scan.ts';
import { walk } from '../../../src/files/scan/walk.ts';
import { comesBefore } from '../../../src/files/walk-order.ts';
import { openSource } from '../../../src/vault/workers/open-source.ts';
import { makeAwkwardTree } from '../../support/file-trees.ts';

const all: ScanRules = { exclude: [], oneFileSystem: true, cacheTags: true };

describe('a scan', () => {
  let base: string;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'holdfast-scan-'));
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  const make = (name: string, files: readonly string[]) => {
    const root = join(base, name);
    for (const file of files) {
      mkdirSync(join(root, file, '..'), { recursive: true });
      if (file.endsWith('/')) mkdirSync(join(root, file), { recursive: true });
      else writeFileSync(join(root, file), file);
    }
    return root;
  };
  const look = (roots: readonly string[], rules: Partial<ScanRules> = {}) => {
    const batches = [...walk({ roots, rules: { ...all, ...rules } })];
    const below = (path: string) => path.replace(`${roots[0]?.slice(1)}/`, '');
    return {
      found: batches.flatMap(({ found }) => found.map(({ path }) => below(path))).slice(1),
      unseen: batches.flatMap(({ unseen }) => unseen.map(({ path, code }) => `${below(path)} ${code}`)),
      leftOut: batches.flatMap(({ leftOut }) => leftOut.map(({ path, why }) => `${below(path)} ${why}`)),
    };
  };

  it('comes in walk order, the same from a thread of its own', async () => {
    const root = join(base, 'awkward');
    mkdirSync(root);
    await makeAwkwardTree(root);
    const here = [...walk({ roots: [root], rules: all })].flatMap(({ found }) => found);
    assert.ok(here.length > 30);
    for (const [at, { path }] of here.entries()) {
      if (at > 0) assert.ok(comesBefore(here[at - 1]?.path as string, path), path);
    }
    const there = [];
    for await (const { found } of scan({ roots: [root], rules: all })) there.push(...found);
    assert.deepEqual(there, here);
  });

  it('leaves out what patterns say, in the syntax of gitignore', () => {
    const root = make('patterns', [
      'a.tmp',
      'keep/a.tmp',
      'keep/b',
      'cache/x',
      'sub/cache/y',
      'sub/!odd',
      'logs/1.log',
    ]);
    const exclude = ['*.tmp', '!keep/a.tmp', '/cache/', 'logs/*.log'];
    assert.deepEqual(look([root], { exclude }).found, [
      'keep',
      'keep/a.tmp',
      'keep/b',
      'logs',
      'sub',
      'sub/!odd',
      'sub/cache',
      'sub/cache/y',
    ]);
  });

  it('leaves out what lies beside a valid tag of a cache, and keeps the tag', () => {
    const root = make('tagged', ['cache/data', 'cache/deep/data', 'other/CACHEDIR.TAG', 'other/data']);
    writeFileSync(join(root, 'cache/CACHEDIR.TAG'), `${CACHE_SIGNATURE}\n# made by somebody\n`);
    const { found, leftOut } = look([root]);
    assert.deepEqual(found, ['cache', 'cache/CACHEDIR.TAG', 'other', 'other/CACHEDIR.TAG', 'other/data']);
    assert.deepEqual(leftOut, ['cache cache']);
    assert.equal(look([root], { cacheTags: false }).found.length, 8);
  });

  it('leaves out sockets and what is too large, and says so', async () => {
    const root = make('odd', ['small', 'large']);
    writeFileSync(join(root, 'large'), Buffer.alloc(5000));
    const server = createServer().listen(join(root, 'socket'));
    await once(server, 'listening');
    const { found, leftOut } = look([root], { largestBytes: 4999 });
    server.close();
    assert.deepEqual(found, ['small']);
    assert.deepEqual(leftOut, ['large too large', 'socket socket']);
  });

  it('takes a root that is a link for what it leads to, and follows no other', () => {
    const outside = make('outside', ['secret']);
    const root = make('real', ['file']);
    symlinkSync(outside, join(root, 'to-outside'));
    symlinkSync(root, join(base, 'by-link'));
    const seen = [...walk({ roots: [join(base, 'by-link')], rules: all })].flatMap(({ found }) => found);
    assert.deepEqual(
      seen.map(({ path, type }) => `${path.split('/').at(-1)} ${type}`),
      ['by-link directory', 'file file', 'to-outside symlink'],
    );
    assert.throws(() => openSource({ straight: join(root, 'to-outside/secret') }), { code: 'ELOOP' });
    assert.throws(() => openSource({ straight: join(root, 'to-outside') }), { code: 'ELOOP' });
  });

  it('says that a root is not there instead of finding nothing', async () => {
    const missing = scan({ roots: [join(base, 'not-there')], rules: all });
    await assert.rejects(async () => await missing.next(), { code: 'FILES_ROOT', message: /not-there/ });
  });

  it('leaves a mount inside of a root out, and goes into it where it is told to', () => {
    const root = make('mounted', ['file', 'disk/']);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(root, 'disk')]);
    try {
      writeFileSync(join(root, 'disk/inside'), 'x');
      const { found, leftOut } = look([root]);
      assert.deepEqual(found, ['disk', 'file']);
      assert.deepEqual(leftOut, ['disk mount']);
      assert.deepEqual(look([root], { oneFileSystem: false }).found, ['disk', 'disk/inside', 'file']);
    } finally {
      execFileSync('umount', [join(root, 'disk')]);
    }
  });

  it('tells what it may not list or look at, and goes on', async () => {
    const root = make('closed', ['closed/file', 'open/file', 'blind/file']);
    chmodSync(join(root, 'closed'), 0o000);
    chmodSync(join(root, 'blind'), 0o444);
    for (const place of [base, root]) chmodSync(place, 0o755);
    for (const name of ['', 'closed', 'open', 'blind']) chownSync(join(root, name), 65534, 65534);
    const script = `import { walk } from ${JSON.stringify(join(import.meta.dirname, '../../../src/files/scan/walk.ts'))};
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const batches = [...walk({ roots: [${JSON.stringify(root)}], rules: ${JSON.stringify(all)} })];
      console.log(JSON.stringify(batches.flatMap(({ unseen }) => unseen)));`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: 'pipe' });
    const [output] = await Promise.all([child.stdout.toArray(), once(child, 'close')]);
    const unseen = JSON.parse(Buffer.concat(output).toString()) as { path: string; code: string }[];
    assert.deepEqual(
      unseen.map(({ path, code }) => `${path.split('/').slice(-2).join('/')} ${code}`),
      ['blind/file EACCES', 'closed/closed EACCES'],
    );
  });

  it('is given up in the middle without waiting for its end', async () => {
    const root = make(
      'many',
      Array.from({ length: 6000 }, (_, at) => `${at % 60}/${at}`),
    );
    for await (const { found } of scan({ roots: [root], rules: all })) {
      assert.ok(found.length > 0);
      break;
    }
  });
});
