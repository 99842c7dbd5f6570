// A vault of version 1 with files laid over earlier ones, frozen: whatever the code becomes, it and rescue.mjs read all of it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, cp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { FileStore } from '../../src/stores/file-store.ts';
import { createVault, type SnapshotId, type Vault } from '../../src/vault/index.ts';
import { entriesOf } from '../support/laid-over.ts';
import { readTree, rescue, runtimes, takeRescue } from '../support/rescue.ts';
import { contentOf, filesOf, target } from '../support/restore-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT, readFiles } from '../support/vault.ts';

interface Expected {
  readonly snapshots: Readonly<Record<string, Readonly<Record<string, Entry>>>>;
  /** Every object as it is stored. */
  readonly objects: Readonly<Record<string, string>>;
}

interface Entry {
  readonly sizeBytes: number;
  readonly content: string;
  /** What the tree says of it. */
  readonly said?: string;
  readonly pieces?: readonly number[];
}

const golden = path.join(import.meta.dirname, 'v1-laid-over');
const expected = JSON.parse(await readFile(path.join(golden, 'expected.json'), 'utf8')) as Expected;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A copy of it, because opening may write, and because a key file may be read by its owner alone. */
async function thawed(t: TestContext): Promise<{ directory: string; vault: Vault }> {
  const directory = await temporaryDirectory(t);
  await cp(golden, directory, { recursive: true });
  const key = path.join(directory, 'host.key');
  await chmod(key, 0o600);
  const store = new FileStore('local', path.join(directory, 'vault'));
  const description = { name: 'local', site: 'home', medium: 'disk', offsite: false, location: 'golden' };
  const vault = await createVault({
    ...{ estate: 'golden', copies: [{ description, store }], policy: { copies: 1, offsite: 0 }, host: 'db1' },
    ...{ keys: [{ name: 'host', kind: 'file', path: key }], logger: pino({ level: 'silent' }) },
  });
  t.after(() => vault.close());
  return { directory, vault };
}

describe('the golden vault with files laid over earlier ones', () => {
  it('is byte for byte what was made', async () => {
    const found: Record<string, string> = {};
    const root = path.join(golden, 'vault');
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath, entry.name);
      if (entry.isFile()) found[path.relative(root, file)] = sha256(await readFile(file));
    }
    assert.deepEqual(found, expected.objects);
  });

  it('gives the code of today every file, by both of its ways', async (t) => {
    const { vault } = await thawed(t);
    let laid = 0;
    for (const [id, files] of Object.entries(expected.snapshots) as [SnapshotId, Record<string, Entry>][]) {
      const entries = await entriesOf(vault, id);
      const reader = await vault.openSnapshot(id);
      const to = await target();
      await reader.restoreFiles(filesOf(reader), { directory: to });
      const [read, restored] = [await readFiles(reader), await contentOf(to)];
      reader.close();
      for (const [name, { content, said, pieces, sizeBytes }] of Object.entries(files)) {
        const entry = entries.get(name);
        assert.deepEqual([entry?.sha256, entry?.pieces, entry?.sizeBytes], [said, pieces, sizeBytes]);
        for (const found of [read, restored]) assert.equal(sha256(found[name] ?? Buffer.alloc(1)), content, name);
        if (pieces) laid += 1;
      }
      await vault.verifyCopy(COMPONENT, id, 'local');
    }
    assert.equal(laid, 4);
  });

  it('gives rescue.mjs every file', async (t) => {
    const { directory, vault } = await thawed(t);
    const at = path.join(directory, 'vault');
    const script = await takeRescue(at, path.join(directory, 'bare'));
    await vault.close();
    const key = ['--vault', at, '--key-file', path.join(directory, 'host.key')];
    for (const [n, runtime] of (await runtimes()).entries()) {
      const checked = await rescue(script, runtime, [...key, 'check']);
      assert.match(checked.said, / 0 damaged, 0 missing, 0 unreadable/, checked.said);
      for (const [id, files] of Object.entries(expected.snapshots)) {
        const to = path.join(directory, `restored-${n}-${id}`);
        const done = await rescue(script, runtime, [...key, 'restore', id, '--to', to]);
        assert.equal(done.status, 0, done.said + done.complained);
        const found = await readTree(to);
        for (const [name, { content }] of Object.entries(files)) {
          assert.equal(sha256(Buffer.from(found[name]?.content ?? '', 'base64')), content, name);
        }
      }
    }
  });
});
