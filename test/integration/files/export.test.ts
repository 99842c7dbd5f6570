// An export as somebody without Holdfast takes it: GNU tar unpacks it, and rsync has nothing to say.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { captureFiles, type ExportOptions, exportToFile, exportToStream } from '../../../src/files/index.ts';
import { setAttribute } from '../../../src/system/index.ts';
import type { SnapshotReader } from '../../../src/vault/index.ts';
import { differences, makeAwkwardTree } from '../../support/file-trees.ts';
import { snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const execute = promisify(execFile);
const unpackOptions = ['--xattrs', '--xattrs-include=*', '--acls', '--same-owner', '--same-permissions'];

describe('an export', () => {
  let base: string;
  let source: string;
  let test: TestVault;
  let reader: SnapshotReader;
  let number = 0;

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-export-'));
    source = join(base, 'source');
    await mkdir(source);
    await makeAwkwardTree(source);
    setAttribute(join(source, 'plain/deep/deeper/middle'), 'user.a=b%c', Buffer.of(0, 10, 61, 255));
    // A list that new entries take over; version 2, then tag, permissions and id of each entry (acl(5)).
    const entries = [
      [1, 7, -1],
      [2, 5, 12345],
      [4, 5, -1],
      [0x10, 5, -1],
      [0x20, 0, -1],
    ] as const;
    const list = Buffer.alloc(4 + 8 * entries.length);
    list.writeUInt32LE(2);
    entries.forEach(([tag, bits, id], at) => {
      list.writeUInt16LE(tag, 4 + 8 * at);
      list.writeUInt16LE(bits, 6 + 8 * at);
      list.writeInt32LE(id, 8 + 8 * at);
    });
    setAttribute(join(source, 'plain/deep/deeper'), 'system.posix_acl_default', list);
    test = await testVault();
    const { id } = await captureFiles({
      vault: test.vault,
      source: { roots: [source], rules: { exclude: [], oneFileSystem: true, cacheTags: true } },
      request: { snapshotId: snapshotId(1), component: 'files/uploads', class: 'files', host: 'here' },
      signal: AbortSignal.timeout(600_000),
    });
    reader = await test.vault.openSnapshot(id);
  });
  after(async () => {
    reader.close();
    await rm(base, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  const options = (changes: Partial<ExportOptions> = {}): ExportOptions => ({
    ...{ reader, selection: {}, signal: AbortSignal.timeout(600_000) },
    ...changes,
  });
  const newPlace = async () => {
    const directory = join(base, `place-${number++}`);
    await mkdir(directory);
    return directory;
  };
  const unpack = async (file: string) => {
    const directory = await newPlace();
    await execute('tar', ['--extract', '--file', file, '--directory', directory, ...unpackOptions]);
    return join(directory, source.slice(1));
  };

  it('is unpacked by GNU tar to what was there, compressed or not', async () => {
    for (const name of ['all.tar.zst', 'all.tar']) {
      const file = join(await newPlace(), name);
      const done = await exportToFile(file, options());
      const bytes = await readFile(file);
      assert.equal(bytes.length, done.archiveBytes);
      assert.ok(done.files > 10 && done.others > 10, JSON.stringify(done));
      assert.deepEqual(await differences(source, await unpack(file)), [], name);
      assert.deepEqual(await readdir(join(file, '..')), [name], 'nothing is left beside it');
      assert.equal((await stat(file)).mode & 0o777, 0o600);
    }
  });

  it('is compared by an eye that sees an attribute, a time and a link that were lost', async () => {
    const file = join(await newPlace(), 'all.tar');
    await exportToFile(file, options());
    const directory = await newPlace();
    await execute('tar', ['-xf', file, '-C', directory, '--touch', '--hard-dereference']);
    const seen = await differences(source, join(directory, source.slice(1)));
    assert.ok(seen.includes('.f..t.....x zz-same'), 'time and attribute');
    assert.ok(
      seen.some((line) => line.startsWith('listings differ')),
      'links',
    );
  });

  it('has what was asked for alone, and is refused when that is nothing', async () => {
    const output = new PassThrough();
    const file = join(base, 'part.tar.zst');
    const selection = { paths: [join(source, 'plain/deep/deeper')], patterns: ['zz-same'] };
    const saved = writeFile(file, output);
    await exportToStream(output, options({ selection }));
    output.end();
    await saved;
    const place = await unpack(file);
    assert.deepEqual(await differences(join(source, 'plain/deep/deeper'), join(place, 'plain/deep/deeper')), []);
    // One name of a file that has several stands by itself.
    assert.equal(await readFile(join(place, 'zz-same'), 'utf8'), 'small\n');
    assert.deepEqual((await readdir(place)).sort(), ['plain', 'zz-same']);
    const nothing = join(base, 'nothing.tar');
    await assert.rejects(exportToFile(nothing, options({ selection: { patterns: ['no-such'] } })), {
      code: 'NOT_FOUND',
    });
    await assert.rejects(stat(nothing), { code: 'ENOENT' });
  });

  it('leaves no file behind when a file of the snapshot cannot be had, and takes no name that is taken', async () => {
    const directory = await newPlace();
    const file = join(directory, 'all.tar.zst');
    const broken: ExportOptions['reader'] = {
      snapshot: reader.snapshot,
      entries: () => reader.entries(),
      async *read(entry) {
        for await (const bytes of reader.read(entry)) {
          if (entry.path.endsWith('large'))
            throw Object.assign(new Error('a pack is gone'), { code: 'OBJECT_MISSING' });
          yield bytes;
        }
      },
    };
    for (const name of ['all.tar.zst', 'all.tar']) {
      await assert.rejects(exportToFile(join(directory, name), options({ reader: broken })), /a pack is gone/);
    }
    assert.deepEqual(await readdir(directory), []);
    await writeFile(file, 'mine');
    await assert.rejects(exportToFile(file, options()), { code: 'TARGET_UNFIT' });
    assert.equal(await readFile(file, 'utf8'), 'mine');
    const stopped = AbortSignal.abort();
    await assert.rejects(exportToFile(join(directory, 'b.tar'), options({ signal: stopped })), { code: 'CANCELLED' });
    assert.deepEqual(await readdir(directory), ['all.tar.zst']);
    await chmod(directory, 0o700);
    await assert.rejects(exportToFile(join(directory, 'no/x.tar'), options()), { code: 'TARGET_UNFIT' });
    await assert.rejects(exportToFile(join(directory, 'x.zip'), options()), { code: 'USAGE' });
  });
});
