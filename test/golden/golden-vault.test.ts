// A vault of version 1, frozen: whatever the code becomes, it and rescue.mjs read all of it, and what is in the repository is what was made.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, cp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import type { ComponentId } from '../../src/domain/component.ts';
import type { Moment } from '../../src/domain/moment.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { createVault, type KeySource, openVault, type SnapshotId, type Vault } from '../../src/vault/index.ts';
import { ClockedStore, TestClock } from '../support/clocked-store.ts';
import { readTree, rescue, runtimes, takeRescue } from '../support/rescue.ts';
import { temporaryDirectory } from '../support/temporary.ts';

interface Entry {
  readonly type: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly sha256?: string;
  readonly sizeBytes?: number;
  readonly linkTarget?: string;
}

interface Expected {
  readonly system: string;
  readonly snapshots: Readonly<
    Record<
      string,
      {
        component: ComponentId;
        kind: string;
        state: string;
        class: string;
        engine: object;
        entries: Record<string, Entry>;
      }
    >
  >;
  /** Segment files as a server gets them, by name. */
  readonly log: Readonly<Record<string, string>>;
  /** Every object as it is stored. */
  readonly objects: Readonly<Record<string, string>>;
}

const golden = path.join(import.meta.dirname, 'v1');
const expected = JSON.parse(await readFile(path.join(golden, 'expected.json'), 'utf8')) as Expected;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const passphrase = 'une clé publiée pour les tests'.normalize('NFC');

/** A copy of it, because opening may write, and because a key file may be read by its owner alone. */
async function thawed(t: TestContext) {
  const directory = await temporaryDirectory(t);
  await cp(golden, directory, { recursive: true });
  for (const name of ['host.key', 'second.key', 'second-rotated.key', 'passphrase'])
    await chmod(path.join(directory, name), 0o600);
  // The day after its last one, for the host and the store.
  const clock = new TestClock('2026-12-05T00:00:00.000000Z' as Moment);
  const store = new ClockedStore(new FileStore('local', path.join(directory, 'vault')), clock);
  const description = { name: 'local', site: 'home', medium: 'disk', offsite: false, location: 'golden' };
  const file = (name: string): KeySource => ({ name, kind: 'file', path: path.join(directory, `${name}.key`) });
  const options = (...keys: KeySource[]) => ({
    ...{ estate: 'golden', copies: [{ description, store }], policy: { copies: 1, offsite: 0 }, keys },
    ...{ logger: pino({ level: 'silent' }), host: 'db1' },
  });
  return { directory, file, clock, options, open: (...keys: KeySource[]) => openVault(options(...keys)) };
}

async function contentOf(vault: Vault, id: SnapshotId): Promise<Record<string, Entry>> {
  const reader = await vault.openSnapshot(id);
  const found: Record<string, Entry> = {};
  try {
    for await (const { path: name, type, mode, mtimeSeconds, mtimeNanos, linkTarget, ...entry } of reader.entries()) {
      const common = { mode, mtimeSeconds, ...(mtimeNanos === undefined ? {} : { mtimeNanos }), type };
      if (type !== 'file') {
        found[name] = { ...common, ...(linkTarget === undefined ? {} : { linkTarget }) };
        continue;
      }
      const hash = createHash('sha256');
      for await (const bytes of reader.read({ path: name, type, mode, mtimeSeconds, ...entry })) hash.update(bytes);
      found[name] = { ...common, sha256: hash.digest('hex'), sizeBytes: entry.sizeBytes };
    }
    return found;
  } finally {
    reader.close();
  }
}

describe('the golden vault of version 1', () => {
  it('is byte for byte what was made', async () => {
    const found: Record<string, string> = {};
    const root = path.join(golden, 'vault');
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath, entry.name);
      if (entry.isFile()) found[path.relative(root, file)] = sha256(await readFile(file));
    }
    assert.deepEqual(found, expected.objects);
  });

  it('is opened by each of its keys, and no more by the secret that was rotated away', async (t) => {
    const { open, file } = await thawed(t);
    const safe: KeySource = { name: 'safe', kind: 'passphrase', resolve: async () => passphrase };
    for (const key of [file('host'), file('second-rotated'), safe]) await (await open(key)).close();
    await assert.rejects(open(file('second')), { code: 'VAULT_KEY_WRONG' });
  });

  it('gives the code of today every file of every snapshot', async (t) => {
    const { open, file } = await thawed(t);
    const vault = await open(file('host'));
    t.after(() => vault.close());
    const listed = await vault.listSnapshots();
    assert.deepEqual(listed.map(({ id }) => id).sort(), Object.keys(expected.snapshots).sort());
    for (const { id, component, kind, state, class: group, engine } of listed) {
      const snapshot = expected.snapshots[id];
      assert.ok(snapshot);
      const { entries, ...said } = snapshot;
      assert.deepEqual({ component, kind, class: group, state, engine }, said);
      assert.deepEqual(await contentOf(vault, id), entries, id);
      await vault.verifyCopy(component, id, 'local');
    }
  });

  it('gives the code of today its log, marks, histories, records, holds and tombstones', async (t) => {
    const { clock, options, file } = await thawed(t);
    const vault = await createVault(options(file('host')));
    t.after(() => vault.close());
    const log = vault.log('database/main', expected.system, 'local');
    const { objects, histories, mark } = await log.list();
    assert.equal(objects.length, 6);
    for (const object of objects) {
      const { bytes } = await log.read(object);
      if (object.kind === 'segment') assert.equal(sha256(bytes), expected.log[object.segment]);
    }
    assert.deepEqual(histories, [2]);
    assert.equal(sha256(Buffer.from(await log.readHistory(2))), expected.log['00000002.history']);
    assert.deepEqual(mark, { time: '2026-11-23T06:00:02.000000Z', lsn: '0/270000' });
    assert.deepEqual(await vault.getRecord('backup-1', 'result'), { state: 'completed', snapshot: 'the first' });
    const plan = await vault.retention.plan({
      ...{ run: 'retention-2', by: 'test', timezone: 'UTC', graceSeconds: 7 * 86_400, proofs: {}, passing: [] },
      policies: [{ component: 'files/uploads', rules: { daily: { ageSeconds: 5 * 86_400 } } }],
      maximum: { share: 1, snapshots: 1000 },
      now: () => clock.now,
    });
    const told = JSON.stringify(plan);
    assert.match(told, /20261204T104800Z-e734c763/);
    assert.match(told, /hold-9b0d4514/);
  });

  it('gives rescue.mjs all of it', async (t) => {
    const { directory, options, file } = await thawed(t);
    await (await createVault(options(file('host')))).close(); // brings the reader of today
    const vault = path.join(directory, 'vault');
    const script = await takeRescue(vault, path.join(directory, 'bare'));
    const keys = [
      ['--key-file', path.join(directory, 'second-rotated.key')],
      ['--passphrase-file', path.join(directory, 'passphrase')],
      ['--key-file', path.join(directory, 'host.key')],
    ];
    for (const [n, runtime] of (await runtimes()).entries()) {
      const ask = (...args: string[]) => rescue(script, runtime, ['--vault', vault, ...(keys[n] ?? []), ...args]);
      const checked = await ask('check');
      assert.equal(checked.status, 0, checked.said + checked.complained);
      assert.match(checked.said, /^\d+ good, 0 damaged, 0 missing, 0 unreadable; 120 chunks/m);
      const listed = await ask('list');
      assert.match(
        listed.said,
        /^note: 20261127T104800Z-00000005 of files\/uploads is named for deletion by a tombstone$/m,
      );
      assert.match(listed.said, /20261123T082400Z-00000002 {2}physical .* damaged /);
      for (const [id, { entries }] of Object.entries(expected.snapshots)) {
        const to = path.join(directory, `restored-${n}-${id}`);
        const done = await ask('restore', id, '--to', to);
        assert.equal(done.status, 0, done.said + done.complained);
        const found = await readTree(to);
        for (const [name, { type, sha256: hash, linkTarget }] of Object.entries(entries)) {
          const at = found[name.replace(/^pg_tblspc\/16390\//, 'tablespaces/16390/')];
          assert.equal(at?.type, type, name);
          if (type === 'file') assert.equal(sha256(Buffer.from(at?.content ?? '', 'base64')), hash, name);
          if (type === 'symlink') assert.equal(at?.linkTarget, linkTarget);
        }
      }
      const wal = path.join(directory, `wal-${n}`);
      assert.equal((await ask('log', 'database/main', '--wal', wal)).status, 0);
      const names = (await readdir(wal)).sort();
      const written = await Promise.all(
        names.map(async (name) => [name, sha256(await readFile(path.join(wal, name)))]),
      );
      assert.deepEqual(Object.fromEntries(written), expected.log);
    }
  });

  it('is recovered by rescue.mjs along its second timeline', async (t) => {
    const { directory, options, file } = await thawed(t);
    await (await createVault(options(file('host')))).close();
    const vault = path.join(directory, 'vault');
    const script = await takeRescue(vault, path.join(directory, 'bare'));
    const [, pinned] = await runtimes();
    const to = path.join(directory, 'recovered', 'data');
    const args = ['--vault', vault, '--key-file', path.join(directory, 'host.key')];
    const done = await rescue(script, pinned!, [...args, 'restore', '20261123T060000Z-00000001', '--to', to, '--log']);
    assert.equal(done.status, 0, done.said + done.complained);
    assert.match(done.said, /^4 segments of log in .*, to 0\/312340 on timeline 2/m);
    const settings = await readFile(path.join(to, 'postgresql.auto.conf'), 'utf8');
    assert.match(settings, /^recovery_target_timeline = '2'$/m);
    assert.match(settings, /^archive_mode = 'off'$/m);
    const wal = path.join(directory, 'recovered', 'wal');
    for (const name of await readdir(wal))
      assert.equal(sha256(await readFile(path.join(wal, name))), expected.log[name], name);
  });
});
