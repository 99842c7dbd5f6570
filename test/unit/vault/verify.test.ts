// Verification: each level finds what it promises, and the level below it does not; what is not looked at is not checked.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ComponentIntegrity, IntegrityLevel } from '../../../src/domain/integrity.ts';
import { lsnFrom } from '../../../src/domain/lsn.ts';
import { type Moment, momentFromDate } from '../../../src/domain/moment.ts';
import type { CallOptions, ObjectInfo, Store } from '../../../src/stores/store.ts';
import { openGeneration } from '../../../src/vault/generation.ts';
import type { LogHeader, Vault, VerifyRequest } from '../../../src/vault/index.ts';
import { sealIndex } from '../../../src/vault/index-object.ts';
import { packKeyOf } from '../../../src/vault/layout.ts';
import { openManifest, sealManifest } from '../../../src/vault/manifest.ts';
import { openFrame, PackBuilder, packKey, readPackIndex } from '../../../src/vault/pack.ts';
import { framesOf } from '../../../src/vault/pack-index.ts';
import type { OpenedVault } from '../../../src/vault/vault.ts';
import { FaultPlan, FaultyStore } from '../../support/faulty-store.ts';
import {
  COMPONENT,
  inPieces,
  request,
  seededBytes,
  snapshotId,
  type TestVault,
  TO,
  takeSnapshot,
  testVault,
} from '../../support/vault.ts';

const files = { 'base/1': seededBytes('one', 300_000), 'base/2': seededBytes('two', 300_000), conf: Buffer.from('x') };
const PACK = /packs\/..\/[0-9a-f]{64}$/;
const MANIFEST = /snapshots\/\d{8}\./;
const INDEX = /indexes\/./;
const DATA_KEY = /generations\/[^/]+\/key$/;

function verify(
  vault: Vault,
  level: IntegrityLevel,
  options: Partial<VerifyRequest> = {},
): Promise<ComponentIntegrity> {
  return vault.verify({ component: COMPONENT, level, run: 'verify-1', ...options });
}

async function stateOf(vault: Vault, level: IntegrityLevel, copy = 'local'): Promise<string> {
  const { copies } = await verify(vault, level, { copies: [copy] });
  return copies[0]?.state ?? 'none';
}

async function find(test: TestVault, pattern: RegExp, copy = 'local'): Promise<string> {
  const names = (await readdir(test.path(copy), { recursive: true })).filter((name) => pattern.test(name));
  return join(test.path(copy), names.sort()[0] ?? assert.fail(`nothing like ${pattern} on ${copy}`));
}

async function flip(path: string, at = 50_000): Promise<void> {
  const bytes = await readFile(path);
  const offset = Math.min(at, bytes.length - 1);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  await writeFile(path, bytes);
}

/** Gives a checksum for every object: of its bytes, or with `lies` whatever its name says. */
class AttestingStore extends FaultyStore {
  readonly #lies: boolean;

  constructor(store: Store, lies = false) {
    super(store, new FaultPlan());
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

async function one(options: Parameters<typeof testVault>[0] = {}): Promise<TestVault> {
  const copies = options.copies ?? ['local'];
  const test = await testVault({ policy: { copies: copies.length, offsite: 0 }, ...options, copies });
  await takeSnapshot(test.vault, files);
  return test;
}

describe('levels of verification', () => {
  it('calls a whole snapshot good at every level, where the store attests', async () => {
    await using test = await one({ wrap: (store) => new AttestingStore(store) });
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
    await using test = await one();
    assert.equal(await stateOf(test.vault, 'attested'), 'not checked');
    assert.deepEqual(await test.vault.newestProofs(COMPONENT), {});
  });

  const missing = { manifest: MANIFEST, pack: PACK, index: INDEX, key: DATA_KEY } as const;
  for (const [kind, pattern] of Object.entries(missing)) {
    it(`listed finds a ${kind} that is gone, on its copy alone`, async () => {
      await using test = await one({ copies: ['local', 'eu'] });
      await rm(await find(test, pattern, 'eu'));
      assert.equal(await stateOf(test.vault, 'listed', 'eu'), 'missing');
      assert.equal(await stateOf(test.vault, 'listed', 'local'), 'good');
    });
  }

  it('listed finds a pack cut short and a manifest with one wrong bit', async () => {
    await using test = await one();
    const pack = await find(test, PACK);
    const bytes = await readFile(pack);
    await truncate(pack, 100_000);
    assert.equal(await stateOf(test.vault, 'listed'), 'damaged');
    await writeFile(pack, bytes);
    await flip(await find(test, MANIFEST), 200);
    assert.equal(await stateOf(test.vault, 'listed'), 'damaged');
  });

  it('attested finds a wrong byte of a pack, which listed cannot', async () => {
    await using test = await one({ wrap: (store) => new AttestingStore(store) });
    await flip(await find(test, PACK));
    assert.equal(await stateOf(test.vault, 'listed'), 'good');
    assert.equal(await stateOf(test.vault, 'attested'), 'damaged');
  });

  it('hashed finds a wrong byte of a pack whose store lies, which attested cannot', async () => {
    await using test = await one({ wrap: (store) => new AttestingStore(store, true) });
    await flip(await find(test, PACK));
    assert.equal(await stateOf(test.vault, 'attested'), 'good');
    assert.equal(await stateOf(test.vault, 'hashed'), 'damaged');
  });

  it('decrypted finds wrong content that was packed and named rightly, which hashed cannot', async () => {
    await using test = await one();
    await packWrongly(test);
    assert.equal(await stateOf(test.vault, 'hashed'), 'good');
    assert.equal(await stateOf(test.vault, 'decrypted'), 'damaged');
  });

  it('says not checked of a copy that is away, and why', async () => {
    await using test = await one({ copies: ['local', 'eu'] });
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
    await using test = await one({ wrap: (store) => new FaultyStore(store, plan) });
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
    await using test = await one({ copies: ['local', 'eu'] });
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

const SEGMENT_BYTES = 1024 * 1024;
const systemId = '7432198765432109876';

function segment(number: number): { header: LogHeader; bytes: Buffer } {
  const bytes = seededBytes(`segment ${number}`, SEGMENT_BYTES);
  const fromLsn = lsnFrom(BigInt(number * SEGMENT_BYTES));
  const toLsn = lsnFrom(BigInt((number + 1) * SEGMENT_BYTES));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const header = { timeline: 1, segmentSizeBytes: SEGMENT_BYTES, fromLsn, toLsn, sha256, restorePoints: [] };
  return { header, bytes };
}

async function withLog(): Promise<TestVault> {
  const test = await testVault();
  const log = test.vault.log(COMPONENT, systemId, 'local');
  for (const number of [3, 4, 5, 6]) await log.putSegment(segment(number).header, segment(number).bytes);
  const writer = await test.vault.writeSnapshot(request(1));
  await writer.addFile({ path: 'PG_VERSION', mode: 0o600, mtimeSeconds: 2 }, inPieces(Buffer.from('17\n')));
  const [startLsn, stopLsn] = [lsnFrom(BigInt(3 * SEGMENT_BYTES + 40)), lsnFrom(BigInt(5 * SEGMENT_BYTES - 1))];
  await writer.commit({ to: TO, state: 'clean', engine: { systemId, timeline: 1, startLsn, stopLsn } });
  return test;
}

describe('what a verification says of a copy as a whole', () => {
  const wholeOn = async (test: TestVault, copy: string) =>
    (await (await test.reopen()).looks(COMPONENT)).whole.find((each) => each.copy === copy);

  it('is kept with every look, also with one that had nothing to read any more', async () => {
    await using test = await one({ copies: ['local', 'eu'] });
    await verify(test.vault, 'hashed');
    const first = await wholeOn(test, 'eu');
    assert.deepEqual([first?.state, first?.level, first?.since], ['good', 'hashed', first?.at]);
    await sleep(1_100); // names of proofs have seconds
    await verify(test.vault, 'hashed', { since: '2026-01-01T00:00:00.000000Z' as Moment });
    const second = await wholeOn(test, 'eu');
    assert.ok(second && first && second.at > first.at);
    assert.equal(second.since, first.since, 'it rests on the older look');
  });

  it('is what was found of any object, and not checked when the look was cut short', async () => {
    await using test = await one({ copies: ['local', 'eu'] });
    await flip(await find(test, PACK, 'eu'));
    await verify(test.vault, 'hashed');
    assert.equal((await wholeOn(test, 'eu'))?.state, 'damaged');
    assert.equal((await wholeOn(test, 'local'))?.state, 'good');
    await verify(test.vault, 'hashed', { budgetBytes: 1, copies: ['local'] });
    assert.equal((await wholeOn(test, 'local'))?.state, 'not checked');
  });

  it('tells of damage in log that no snapshot needs', async () => {
    await using test = await withLog();
    await flip(await find(test, /000000010000000000000006$/));
    const { copies } = await verify(test.vault, 'hashed');
    assert.equal(copies[0]?.snapshots[0]?.state, 'good');
    assert.equal((await wholeOn(test, 'local'))?.state, 'damaged');
  });
});

describe('verification of the log', () => {
  it('counts every closed segment, those of the window too', async () => {
    await using test = await withLog();
    for (const level of ['listed', 'hashed', 'decrypted'] as const) {
      const { state, copies } = await verify(test.vault, level);
      assert.equal(state, 'good');
      assert.equal(copies[0]?.segments.good, 4);
    }
  });

  it('hashed finds a damaged segment, which listed cannot; the snapshot suffers only from its own stretch', async () => {
    await using test = await withLog();
    await flip(await find(test, /log\/.*[0-9A-F]{23}6$/), 900_000);
    assert.equal(await stateOf(test.vault, 'listed'), 'good');
    const { copies } = await verify(test.vault, 'hashed');
    assert.deepEqual([copies[0]?.state, copies[0]?.snapshots[0]?.state], ['damaged', 'good']);
    await flip(await find(test, /log\/.*[0-9A-F]{23}4$/), 900_000);
    const again = await verify(test.vault, 'hashed');
    assert.equal(again.copies[0]?.snapshots[0]?.state, 'damaged');
  });

  it('listed finds a hole in the log that the snapshot needs', async () => {
    await using test = await withLog();
    await rm(await find(test, /log\/.*[0-9A-F]{23}4$/));
    const { copies } = await verify(test.vault, 'listed');
    assert.equal(copies[0]?.snapshots[0]?.state, 'missing');
  });
});

describe('repair', () => {
  it('puts good bytes of another copy where they are damaged or missing, and everything is good then', async () => {
    for (const pattern of [PACK, INDEX, DATA_KEY, MANIFEST]) {
      for (const harm of [flip, rm]) {
        if (pattern === MANIFEST && harm === rm) continue; // left to catch-up
        await using test = await one({ copies: ['local', 'eu'] });
        await harm(await find(test, pattern, 'eu'));
        assert.notEqual(await stateOf(test.vault, 'decrypted', 'eu'), 'good');
        const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
        assert.deepEqual(report.unrepaired, []);
        assert.deepEqual(
          report.repaired.map(({ was, from }) => [was, from]),
          [[harm === rm ? 'missing' : 'damaged', 'local']],
        );
        assert.equal(await stateOf(test.vault, 'decrypted', 'eu'), 'good', String(pattern));
        const again = await test.vault.repair({ copy: 'eu', run: 'repair-2' });
        assert.deepEqual([again.repaired, again.unrepaired], [[], []]);
      }
    }
  });

  it('takes nothing from a copy that is damaged itself, and says what could not be repaired', async () => {
    await using test = await one({ copies: ['local', 'eu'] });
    for (const copy of ['local', 'eu']) await flip(await find(test, PACK, copy));
    await verify(test.vault, 'hashed');
    const before = await readFile(await find(test, PACK, 'eu'));
    const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
    assert.deepEqual(report.repaired, []);
    assert.deepEqual(
      report.unrepaired.map(({ kind, error }) => [kind, error.code]),
      [['pack', 'OBJECT_DAMAGED']],
    );
    assert.deepEqual(await readFile(await find(test, PACK, 'eu')), before);
  });

  it('leaves alone what is good by the time it comes to it', async () => {
    await using test = await one({ copies: ['local', 'eu'] });
    const pack = await find(test, PACK, 'eu');
    await flip(pack);
    await verify(test.vault, 'hashed');
    await flip(pack);
    const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
    assert.deepEqual([report.repaired, report.unrepaired, report.good], [[], [], 1]);
  });

  it('reports a copy that does not take the bytes, and one that lies about them', async () => {
    class Refusing extends FaultyStore {
      mode: 'refuse' | 'drop' | undefined;
      override async put(...given: Parameters<Store['put']>): Promise<void> {
        if (this.mode === 'refuse' && PACK.test(given[0])) throw Object.assign(new Error('locked'), { code: 'EPERM' });
        if (this.mode === 'drop' && PACK.test(given[0])) return;
        await super.put(...given);
      }
    }
    const stores: Refusing[] = [];
    const wrap = (store: Store) => stores[stores.push(new Refusing(store, new FaultPlan())) - 1] as Refusing;
    await using test = await one({ copies: ['local', 'eu'], wrap });
    await flip(await find(test, PACK, 'eu'));
    await verify(test.vault, 'hashed');
    for (const mode of ['refuse', 'drop'] as const) {
      (stores[1] as Refusing).mode = mode;
      const report = await test.vault.repair({ copy: 'eu', run: 'repair-1' });
      assert.deepEqual([report.repaired.length, report.unrepaired.length], [0, 1], mode);
    }
  });
});
