// Verification: each level finds what it promises, and the level below it does not; what is not looked at is not checked.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Moment, momentFromDate } from '../../../src/domain/moment.ts';
import type { CallOptions, ObjectInfo, Store } from '../../../src/stores/store.ts';
import { openGeneration } from '../../../src/vault/generation.ts';
import { sealIndex } from '../../../src/vault/index-object.ts';
import { packKeyOf } from '../../../src/vault/layout.ts';
import { openManifest, sealManifest } from '../../../src/vault/manifest.ts';
import { openFrame, PackBuilder, packKey, readPackIndex } from '../../../src/vault/pack.ts';
import { framesOf } from '../../../src/vault/pack-index.ts';
import type { OpenedVault } from '../../../src/vault/vault.ts';
import { DelegatingStore } from '../../support/delegating-store.ts';
import { FaultPlan, FaultyStore } from '../../support/faulty-store.ts';
import { COMPONENT, seededBytes, snapshotId, type TestVault, takeSnapshot, testVault } from '../../support/vault.ts';
import { DATA_KEY, find, flip, INDEX, MANIFEST, oneSnapshot, PACK, stateOf, verify } from '../../support/verify.ts';

/** Gives a checksum for every object: of its bytes, or with `lies` whatever its name says. */
class AttestingStore extends DelegatingStore {
  readonly #lies: boolean;

  constructor(store: Store, lies = false) {
    super(store);
    this.#lies = lies;
  }

  override async head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    const info = await super.head(key, options);
    if (!info) return undefined;
    const sha256 = createHash('sha256')
      .update(await super.get(key))
      .digest('hex');
    return { ...info, sha256: this.#lies && PACK.test(key) ? key.slice(-64) : sha256 };
  }
}

/** The same snapshot, packed by a program that is wrong: names, sizes and encryption are right, the content of one frame is not. */
async function packWrongly({ vault, path }: TestVault): Promise<void> {
  const { core } = vault as OpenedVault;
  const [copy] = core.copies.all;
  assert.ok(copy);
  const listed = await readdir(path('local'), { recursive: true });
  const key = listed.find((name) => MANIFEST.test(name)) ?? '';
  const { header, body } = await openManifest(core, key, await copy.store.get(key));
  const [part] = body.parts;
  const [[sha256, sizeBytes] = ['', 0]] = part?.packs ?? [];
  const generation = await openGeneration(core, COMPONENT, header.generation, [copy]);
  const { context } = generation;
  const old = await copy.store.get(packKeyOf(generation.path, sha256));
  const read = async (offset: number, length: number) => old.subarray(offset, offset + length);
  const index = await readPackIndex(context, sizeBytes, read, 'pack');
  const builder = new PackBuilder(context);
  for (const { place, count, at } of framesOf(index, 'pack')) {
    const sealed = old.subarray(place.offset, place.offset + place.storedLength + 16);
    const plain = Buffer.from(
      await openFrame(context, packKey(context, old.subarray(0, 40), 'pack'), place, sealed, 'p'),
    );
    plain.writeUInt8(plain.readUInt8(0) ^ 1, 0);
    const chunks = Array.from({ length: count }, (_, n) => index.subarray(at + n * 36, at + (n + 1) * 36));
    const ids = Buffer.concat(chunks.map((entry) => entry.subarray(0, 32)));
    builder.add(
      0,
      plain,
      plain.length,
      ids,
      chunks.map((entry) => entry.readUInt32BE(32)),
    );
  }
  const wrong = builder.finish();
  await copy.store.put(packKeyOf(generation.path, wrong.sha256), wrong.bytes);
  const indexKey = part?.indexes[0] ?? '';
  const packs = [{ sha256: wrong.sha256, sizeBytes: wrong.bytes.length, index: wrong.index }];
  await copy.store.put(indexKey, await sealIndex(context, indexKey, packs), { ifAbsent: false });
  const parts = [
    { generation: header.generation, packs: [[wrong.sha256, wrong.bytes.length] as const], indexes: [indexKey] },
  ];
  const manifest = await sealManifest(core, header, { ...body, parts });
  await copy.store.put(key, manifest.bytes, { ifAbsent: false });
}

describe('levels of verification', () => {
  it('calls a whole snapshot good at every level, where the store attests', async () => {
    await using test = await oneSnapshot({ wrap: (store) => new AttestingStore(store) });
    for (const level of ['listed', 'attested', 'hashed', 'decrypted'] as const) {
      const { state, copies } = await verify(test.vault, level);
      assert.equal(state, 'good', level);
      assert.deepEqual(
        copies[0]?.snapshots.map(({ snapshot, state: its }) => [snapshot, its]),
        [[snapshotId(1), 'good']],
      );
    }
  });

  it('does not call good what a store gives no checksum for', async () => {
    await using test = await oneSnapshot();
    const { state, copies } = await verify(test.vault, 'attested');
    // With the reason, so that it is told apart from what a limit has left.
    assert.deepEqual([state, copies[0]?.error?.code], ['not checked', 'STORE_UNFIT']);
    assert.deepEqual(await test.vault.newestProofs(COMPONENT), {});
  });

  const missing = { manifest: MANIFEST, pack: PACK, index: INDEX, key: DATA_KEY } as const;
  for (const [kind, pattern] of Object.entries(missing)) {
    it(`listed finds a ${kind} that is gone, on its copy alone`, async () => {
      await using test = await oneSnapshot({ copies: ['local', 'eu'] });
      await rm(await find(test, pattern, 'eu'));
      assert.equal(await stateOf(test.vault, 'listed', 'eu'), 'missing');
      assert.equal(await stateOf(test.vault, 'listed', 'local'), 'good');
    });
  }

  it('listed finds a pack cut short and a manifest with one wrong bit', async () => {
    await using test = await oneSnapshot();
    const pack = await find(test, PACK);
    const bytes = await readFile(pack);
    await truncate(pack, 100_000);
    assert.equal(await stateOf(test.vault, 'listed'), 'damaged');
    await writeFile(pack, bytes);
    await flip(await find(test, MANIFEST), 200);
    assert.equal(await stateOf(test.vault, 'listed'), 'damaged');
  });

  it('attested finds a wrong byte of a pack, which listed cannot', async () => {
    await using test = await oneSnapshot({ wrap: (store) => new AttestingStore(store) });
    await flip(await find(test, PACK));
    assert.equal(await stateOf(test.vault, 'listed'), 'good');
    assert.equal(await stateOf(test.vault, 'attested'), 'damaged');
  });

  it('hashed finds a wrong byte of a pack whose store lies, which attested cannot', async () => {
    await using test = await oneSnapshot({ wrap: (store) => new AttestingStore(store, true) });
    await flip(await find(test, PACK));
    assert.equal(await stateOf(test.vault, 'attested'), 'good');
    assert.equal(await stateOf(test.vault, 'hashed'), 'damaged');
  });

  it('decrypted finds wrong content that was packed and named rightly, which hashed cannot', async () => {
    await using test = await oneSnapshot();
    await packWrongly(test);
    assert.equal(await stateOf(test.vault, 'hashed'), 'good');
    assert.equal(await stateOf(test.vault, 'decrypted'), 'damaged');
  });

  it('says not checked of a copy that is away, and why', async () => {
    await using test = await oneSnapshot({ copies: ['local', 'eu'] });
    await rename(test.path('eu'), `${test.path('eu')}.away`);
    const { state, copies } = await verify(test.vault, 'hashed');
    assert.equal(state, 'not checked');
    assert.equal(copies[0]?.state, 'good');
    assert.equal(copies[1]?.error?.code, 'STORE_UNAVAILABLE');
    assert.deepEqual(
      copies[1]?.snapshots.map((each) => each.state),
      ['not checked'],
    );
  });

  it('says not checked when a store does not answer, never missing', async () => {
    const plan = new FaultPlan();
    await using test = await oneSnapshot({ wrap: (store) => new FaultyStore(store, plan) });
    const verdicts = new Set<string>();
    for (let call = 1; ; call++) {
      await rm(join(test.path('local'), 'proofs'), { recursive: true, force: true }); // each one is another call
      const vault = await test.reopen();
      plan.set(call);
      const { state } = await verify(vault, 'decrypted').catch((error: { code: string }) => ({
        state: error.code,
      }));
      const { failed } = plan;
      plan.set(undefined);
      if (failed === undefined) break;
      verdicts.add(state);
    }
    assert.ok(![...verdicts].some((state) => state === 'missing' || state === 'damaged'), [...verdicts].join(', '));
    assert.ok(verdicts.has('not checked'));
  });
});

describe('verification in portions', () => {
  async function grown(): Promise<TestVault> {
    const test = await testVault();
    for (let number = 1; number <= 4; number++) {
      await takeSnapshot(test.vault, { [`base/${number}`]: seededBytes(`number ${number}`, 400_000) }, number);
    }
    return test;
  }
  const long = '2020-01-01T00:00:00.000000Z' as Moment;

  it('does not read again what was seen since, and says how old the look is', async () => {
    await using test = await grown();
    const first = await verify(test.vault, 'decrypted');
    assert.ok((first.copies[0]?.readBytes ?? 0) > 1_600_000);
    const again = await verify(await test.reopen(), 'hashed', { since: long });
    assert.equal(again.state, 'good');
    assert.equal(again.copies[0]?.readBytes, 0);
    assert.ok(
      again.copies[0]?.snapshots.every(({ at }) => at !== undefined && at <= first.at.replace(/.{8}$/, '999999Z')),
    );
    const anew = await verify(test.vault, 'hashed', { since: momentFromDate(new Date(Date.now() + 1000)) });
    assert.ok((anew.copies[0]?.readBytes ?? 0) > 1_600_000);
  });

  it('goes on where the budget ended, until everything is good', async () => {
    await using test = await grown();
    const read: number[] = [];
    const states: string[] = [];
    for (let run = 1; run <= 4; run++) {
      const { state, copies } = await verify(test.vault, 'hashed', {
        since: long,
        budgetBytes: 900_000,
        run: `v-${run}`,
      });
      read.push(copies[0]?.readBytes ?? 0);
      states.push(state);
    }
    assert.ok(
      read.every((bytes) => bytes <= 900_000),
      read.join(' '),
    );
    assert.equal(states[0], 'not checked');
    assert.equal(states.at(-1), 'good');
  });

  it('begins nothing when the time is over, and calls nothing good', async () => {
    await using test = await grown();
    const { state, copies } = await verify(test.vault, 'hashed', { timeMs: 0 });
    assert.equal(state, 'not checked');
    assert.equal(copies[0]?.readBytes, 0);
  });

  it('keeps proofs: the best that nothing later contradicts', async () => {
    await using test = await oneSnapshot({ copies: ['local', 'eu'] });
    await verify(test.vault, 'decrypted', { copies: ['eu'] });
    await verify(test.vault, 'hashed');
    const before = await (await test.reopen()).newestProofs(COMPONENT);
    assert.deepEqual([before[snapshotId(1)]?.level, before[snapshotId(1)]?.copy], ['decrypted', 'eu']);
    await flip(await find(test, PACK, 'eu'));
    await verify(test.vault, 'hashed', { copies: ['eu'] });
    const after = await (await test.reopen()).newestProofs(COMPONENT);
    assert.deepEqual([after[snapshotId(1)]?.level, after[snapshotId(1)]?.copy], ['hashed', 'local']);
    const looks = (await test.vault.proofs(COMPONENT)).map(({ copy, state }) => `${copy} ${state}`);
    assert.equal(looks[0], 'eu damaged');
  });
});
