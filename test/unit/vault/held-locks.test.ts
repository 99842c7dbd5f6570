// Holds and locks on real servers: what is held stays locked, as long as it is held and no longer than the copy's own time ahead.

import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type Moment, momentFromDate } from '../../../src/domain/moment.ts';
import { type ErrorCode, HoldfastError } from '../../../src/errors/index.ts';
import { FileStore } from '../../../src/stores/file-store.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import type { Store } from '../../../src/stores/store.ts';
import type { HoldRequest, RetentionRequest, Vault } from '../../../src/vault/index.ts';
import { SHORTEST_GRACE_SECONDS } from '../../../src/vault/index.ts';
import { holdReleaseKey, isKeptKey, parseManifestKey } from '../../../src/vault/layout.ts';
import { DelegatingStore } from '../../support/delegating-store.ts';
import { isOpening, type Locks, locksIn } from '../../support/locks.ts';
import { type BackupOptions, idAt, putSegment, takeBackup } from '../../support/retention.ts';
import { COMPONENT, type TestVault, testVault } from '../../support/vault.ts';
import { s3Servers } from '../stores/s3-capabilities.ts';

const DAY = 86_400;
const LOCK_DAYS = 30;
const inDays = (days: number) => Date.now() + days * DAY * 1000;
const moment = (ms: number) => momentFromDate(new Date(ms));

/** Does not lock the packs that it is told. */
class BrokenPacks extends DelegatingStore {
  broken: ((key: string) => boolean) | undefined;
  code: ErrorCode = 'STORE_UNAVAILABLE';

  protected override around<T>(what: string, call: () => Promise<T>): Promise<T> {
    if (what.startsWith('lock ') && what.includes('/packs/') && this.broken?.(what.slice('lock '.length))) {
      return Promise.reject(new HoldfastError(this.code, `${what}: refused by the test`));
    }
    return call();
  }
}

const request = (run: string): RetentionRequest => ({
  ...{ run, by: 'test', policies: [], timezone: 'UTC', graceSeconds: SHORTEST_GRACE_SECONDS },
  ...{ maximum: { share: 1, snapshots: 1000 }, proofs: {}, passing: [] },
});

for (const [name, { start }] of Object.entries(s3Servers)) {
  const server = await start();
  await server.createBucket('held', { objectLock: true });
  const { region, endpoint, accessKeyId, secretAccessKey } = server;
  const credentials = async () => ({ accessKeyId, secretAccessKey });
  const opened: S3Store[] = [];
  after(() => Promise.all(opened.map((store) => store.close())));
  const place = { bucket: 'held', region, endpoint, credentials, lock: 'governance' } as const;

  function storeAt(prefix: string, lockDays: number): S3Store {
    const store = new S3Store('eu', { ...place, prefix, lockForSeconds: lockDays * DAY });
    opened.push(store);
    return store;
  }

  /** Snapshots 1, twelve days ago, and 2, a day later, with packs of their own in one generation, and their log. */
  async function vaultAt(prefix: string, wrap: (store: Store) => Store = (store) => store) {
    const eu = wrap(storeAt(prefix, LOCK_DAYS));
    const store = async (copy: string, directory: string) => (copy === 'eu' ? eu : new FileStore(copy, directory));
    const test = await testVault({ copies: ['local', 'eu'], store });
    for (const copy of ['local', 'eu']) {
      for (const segment of [1, 2, 3, 4]) await putSegment(test.vault, copy, segment, moment(inDays(-11)));
    }
    const from = moment(inDays(-12));
    const first = await take(test.vault, from, 1, { log: [1, 3] });
    const second = await take(test.vault, moment(inDays(-11)), 2, { log: [3, 5] });
    return { test, first, second };
  }

  async function take(vault: Vault, at: Moment, number: number, options: BackupOptions) {
    await takeBackup(vault, at, number, options);
    return idAt(at, number);
  }

  /** The same vault, as its copy in the bucket locks for 90 days now: what is held is not locked long enough any more. */
  function lockingLonger(
    test: TestVault,
    prefix: string,
    wrap: (store: Store) => Store = (store) => store,
  ): Promise<Vault> {
    const copies = test.options.copies.map((copy) =>
      copy.description.name === 'eu' ? { ...copy, store: wrap(storeAt(prefix, 90)) } : copy,
    );
    return test.reopen({ copies });
  }

  const hold = (vault: Vault, changes: Partial<HoldRequest>) =>
    vault.retention.hold({
      ...{ component: COMPONENT, reason: 'audit', by: 'test', at: moment(Date.now()) },
      ...changes,
    });
  const locksOf = (prefix: string) => locksIn(server, 'held', prefix);
  const manifestOf = (locks: Locks, id: string) => locks.get(keyOf(locks, id)) ?? 0;
  const keyOf = (locks: Locks, id: string) => [...locks.keys()].find((key) => parseManifestKey(key)?.id === id) ?? '';

  describe(`locks of what is held on ${name}`, () => {
    it('reach as far ahead as the copy locks, for all that the snapshot needs and nothing else', async () => {
      const { test, first, second } = await vaultAt('one');
      await using _ = test;
      const before = await locksOf('one');
      const soonest = inDays(LOCK_DAYS);
      const { locks, id } = await hold(test.vault, { snapshot: first });
      const held = await locksOf('one');
      const packs = [...held.keys()].filter((key) => key.includes('/packs/'));
      const extended = packs.filter((key) => (held.get(key) ?? 0) !== before.get(key));
      assert.ok(extended.length > 0 && extended.length < packs.length, 'its packs, and not those of the other');
      const needed = [...held.keys()].filter(
        (key) =>
          /\/generations\/[^/]+\/(key|indexes)/.test(key) || extended.includes(key) || key === keyOf(held, first),
      );
      for (const key of [...needed, ...[...held.keys()].filter(isOpening)]) {
        assert.ok((held.get(key) ?? 0) >= soonest, key);
      }
      assert.equal(manifestOf(held, second), manifestOf(before, second));
      const [eu] = locks;
      assert.deepEqual([locks.length, eu?.copy, eu?.error], [1, 'eu', undefined]);
      assert.ok((eu?.extended ?? 0) >= needed.length);
      assert.ok(eu?.until !== undefined && eu.until >= moment(soonest));

      const again = await test.vault.retention.lockHeld();
      assert.equal(again[0]?.extended, 0, 'locked long enough');
      await test.vault.retention.release({ id, by: 'test', at: moment(Date.now()), reason: 'over' });
      assert.deepEqual(await test.vault.retention.lockHeld(), []);
      const locked = (all: Locks) => [...all].filter(([, end]) => end !== undefined);
      assert.deepEqual(locked(await locksOf('one')), locked(held), 'a release shortens no lock');
    });

    it('end with the hold where it ends sooner', async () => {
      const { test, second } = await vaultAt('short');
      await using _ = test;
      const until = moment(inDays(LOCK_DAYS - 1));
      await hold(test.vault, { snapshot: second, until });
      const locks = await locksOf('short');
      assert.equal(moment(manifestOf(locks, second)).slice(0, 10), until.slice(0, 10));
      // Of a mistyped year nothing is locked for a century.
      await hold(test.vault, { snapshot: second, until: '2126-01-01T00:00:00.000000Z' as Moment });
      const far = Math.max(
        ...[...(await locksOf('short'))].flatMap(([key, end]) => (isOpening(key) ? [] : [end ?? 0])),
      );
      assert.ok(far <= inDays(LOCK_DAYS + 7));
    });

    it('cover the closed log too where everything is held, and follow a copy that locks for longer now', async () => {
      const { test, first, second } = await vaultAt('whole');
      await using _ = test;
      await hold(test.vault, {});
      const vault = await lockingLonger(test, 'whole');
      const soonest = inDays(90);
      const held = await vault.retention.lockHeld();
      const locks = await locksOf('whole');
      const kept = [...locks.keys()].filter(isKeptKey);
      assert.ok(kept.filter((key) => key.includes('/log/')).length === 4 && kept.length > 12);
      for (const key of kept) assert.ok((locks.get(key) ?? 0) >= soonest, key);
      for (const id of [first, second]) assert.ok(manifestOf(locks, id) >= soonest);
      assert.ok((held[0]?.extended ?? 0) >= 12);
    });

    it('are told to be missing when the store fails, and are made good by the next run: the manifest is the last', async () => {
      let broken: BrokenPacks | undefined;
      const { test, first } = await vaultAt('fails', (store) => {
        broken = new BrokenPacks(store);
        return broken;
      });
      await using _ = test;
      assert.ok(broken);
      const before = await locksOf('fails');
      broken.broken = () => true;
      const placed = await hold(test.vault, { snapshot: first });
      assert.equal(placed.locks[0]?.error?.code, 'STORE_UNAVAILABLE');
      assert.equal(manifestOf(await locksOf('fails'), first), manifestOf(before, first));
      assert.equal((await test.vault.retention.lockHeld())[0]?.error?.code, 'STORE_UNAVAILABLE');
      broken.broken = undefined;
      const [mended] = await test.vault.retention.lockHeld();
      assert.deepEqual([mended?.copy, mended?.error], ['eu', undefined]);
      assert.ok(manifestOf(await locksOf('fails'), first) >= inDays(LOCK_DAYS) - 60_000);
    });

    it('are extended while another copy is away and nothing may be judged; that its holds are not known is told', async () => {
      const { test, first } = await vaultAt('away');
      await using _ = test;
      await hold(test.vault, { snapshot: first });
      await rename(test.path('local'), `${test.path('local')}.away`);
      const vault = await lockingLonger(test, 'away');
      const soonest = inDays(90);
      await assert.rejects(vault.retention.mark(request('retention-00000001')), { code: 'RETENTION_DOUBT' });
      const held = await vault.retention.lockHeld();
      assert.ok(manifestOf(await locksOf('away'), first) >= soonest);
      const [eu, local] = held;
      assert.deepEqual([held.length, eu?.copy, eu?.error, local?.copy], [2, 'eu', undefined, 'local']);
      assert.match(local?.error?.message ?? '', /^its holds are not all known: /);
    });

    it('are extended though something among the holds is none, and a release that nobody can open ends no hold', async () => {
      const { test, first } = await vaultAt('junk');
      await using _ = test;
      const { id } = await hold(test.vault, { snapshot: first });
      await writeFile(join(test.path('local'), holdReleaseKey(id)), 'it is over');
      await writeFile(join(test.path('local'), 'holds', 'notes.txt'), 'what is this');
      const vault = await lockingLonger(test, 'junk');
      const soonest = inDays(90);
      const [eu, local] = await vault.retention.lockHeld();
      assert.ok(manifestOf(await locksOf('junk'), first) >= soonest);
      assert.deepEqual([eu?.copy, eu?.error, local?.copy], ['eu', undefined, 'local']);
      assert.ok(local?.error !== undefined);
    });

    it('are extended for everything else that is held when something of the oldest snapshot is missing', async () => {
      const { test, first, second } = await vaultAt('part');
      await using _ = test;
      const before = await locksOf('part');
      await hold(test.vault, { snapshot: first });
      const own = await locksOf('part');
      const missing = [...own.keys()].find((key) => key.includes('/packs/') && own.get(key) !== before.get(key));
      await hold(test.vault, {});
      const vault = await lockingLonger(test, 'part', (store) => {
        const broken = new BrokenPacks(store);
        broken.broken = (key) => key === missing;
        broken.code = 'OBJECT_MISSING';
        return broken;
      });
      const soonest = inDays(90);
      const [eu] = await vault.retention.lockHeld();
      assert.deepEqual([eu?.error?.code, eu?.until], ['OBJECT_MISSING', undefined]);
      const locks = await locksOf('part');
      assert.ok(manifestOf(locks, first) < soonest, 'what it needs is not all locked');
      assert.ok(manifestOf(locks, second) >= soonest);
      const logs = [...locks.keys()].filter((key) => key.includes('/log/') && isKeptKey(key));
      assert.equal(logs.length, 4);
      for (const key of logs) assert.ok((locks.get(key) ?? 0) >= soonest, key);
    });
  });
}
