// A host whose clock jumps back and forth by days: snapshots stay apart and whole, numbers go up, retention refuses to judge, nothing is deleted early or lost, a lease has one holder.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Moment } from '../../src/domain/moment.ts';
import { addSeconds } from '../../src/domain/retention.ts';
import type { Store } from '../../src/stores/store.ts';
import { withMethods } from '../../src/stores/with-methods.ts';
import type { SnapshotId } from '../../src/vault/index.ts';
import { DAY, idAt, type RetentionVault, retentionVault } from '../support/retention.ts';
import { seeded } from '../support/seeded.ts';
import { COMPONENT, inPieces, readFiles, request, seededBytes, testVault } from '../support/vault.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
const STEPS = isFull ? 150 : 25;
const KEEP_DAYS = 6;
const GRACE_DAYS = 1;
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e9));

interface Known {
  readonly id: SnapshotId;
  readonly number: number;
  readonly sequence: number;
  /** When it really was taken, by the clock of the stores. */
  readonly trulyAt: Moment;
  /** What the host thought then. */
  readonly to: Moment;
}

/** `now` of the test's clock is the truth and that of the stores; the host is `jumped` beside it. */
class JumpingHost {
  readonly known: Known[] = [];
  readonly random = seeded(seed);
  #jumpedSeconds = 0;
  readonly #test: RetentionVault;

  constructor(test: RetentionVault) {
    this.#test = test;
  }

  get now(): Moment {
    return addSeconds(this.#test.clock.now, this.#jumpedSeconds);
  }

  jump(seconds: number): void {
    this.#jumpedSeconds = seconds;
    this.#test.clock.skewMs = seconds * 1000;
  }

  async backup(): Promise<void> {
    const [number, to] = [this.known.length + 1, this.now];
    const id = idAt(to, number);
    const writer = await this.#test.vault.writeSnapshot(request(number, { id, from: to, kind: 'files' }));
    const file = { path: 'base/1', mode: 0o600, mtimeSeconds: 0, chunking: 'pages' } as const;
    await writer.addFile(file, inPieces(seededBytes(`number ${number}`, 2000)));
    const { sequence } = await writer.commit({ to, state: 'clean', engine: {} });
    assert.equal(sequence, (this.known.at(-1)?.sequence ?? 0) + 1, 'numbers go up whatever the clock says');
    this.known.push({ id, number, sequence, trulyAt: this.#test.clock.now, to });
  }

  /** One run; with a wrong clock it must refuse and touch nothing. */
  async retain(): Promise<void> {
    const held = async () => (await this.#test.keysOn('local')).filter((key) => !key.startsWith('leases/'));
    const before = await held();
    const changes = { now: () => this.now };
    if (Math.abs(this.#jumpedSeconds) > 300) {
      await assert.rejects(this.#test.apply(changes), { code: 'RETENTION_DOUBT' });
      assert.deepEqual(await held(), before);
    } else {
      const { swept, marked } = await this.#test.apply(changes);
      assert.deepEqual([swept.refused, marked.refused], [[], []]);
    }
  }

  /** Whatever is younger than the policy says, by what the host thought when it took it, is there and whole on each copy. */
  async requireNothingEarly(): Promise<void> {
    const { clock, vault } = this.#test;
    for (const copy of ['local', 'eu']) {
      const left = new Set(await this.#test.numbersOn(copy));
      for (const { id, number, to, trulyAt } of this.known) {
        const age = addSeconds(to, (KEEP_DAYS + GRACE_DAYS) * DAY);
        const isYoung = age > clock.now || addSeconds(trulyAt, GRACE_DAYS * DAY) > clock.now;
        if (isYoung) assert.ok(left.has(number), `${id}, taken at ${trulyAt}, is gone from ${copy} at ${clock.now}`);
        if (!left.has(number)) continue;
        const reader = await vault.openSnapshot(id, copy);
        assert.ok((await readFiles(reader))['base/1']?.equals(seededBytes(`number ${number}`, 2000)));
        reader.close();
      }
    }
  }
}

describe('a host whose clock jumps by days', () => {
  it('deletes nothing early, loses nothing, and goes on where it was once the clock is right', async (t) => {
    t.diagnostic(`seed ${seed}`);
    await using test = await retentionVault({
      rules: { full: { ageSeconds: KEEP_DAYS * DAY } },
      graceSeconds: GRACE_DAYS * DAY,
      changes: { generationMs: { database: DAY * 1000 } },
    });
    const host = new JumpingHost(test);
    for (let step = 0; step < STEPS; step++) {
      const dice = host.random();
      host.jump(dice < 0.5 ? 0 : dice < 0.6 ? 200 : Math.round((host.random() - 0.5) * 10 * DAY));
      await host.backup();
      await host.retain();
      test.pass(0.5);
    }
    await host.requireNothingEarly();
    host.jump(0);
    for (let day = 0; day < KEEP_DAYS + GRACE_DAYS + 9; day++) {
      test.pass(1);
      await host.backup();
      await host.retain();
    }
    await host.requireNothingEarly();
    // What was taken while the clock was wrong goes by the moment that it states, and nothing of it stays for ever.
    const expired = host.known.filter(({ to }) => addSeconds(to, (KEEP_DAYS + GRACE_DAYS + 2) * DAY) < test.clock.now);
    const left = new Set(await test.numbersOn('eu'));
    assert.ok(expired.length > 3);
    assert.deepEqual(
      expired.filter(({ number }) => left.has(number)).map(({ id }) => id),
      [],
    );
    const generations = new Set((await test.keysOn('eu', `${COMPONENT}/generations/`)).map((key) => key.split('/')[3]));
    assert.ok(generations.size <= left.size + 6, `${generations.size} generations for ${left.size} snapshots`);
  });

  it('takes a lease that its clock calls expired with a greater token, and the holder learns of it before its next step', async () => {
    const days = 2 * DAY * 1000;
    const aged = (store: Store): Store =>
      withMethods(store, {
        async *list(...args) {
          for await (const info of store.list(...args)) {
            yield { ...info, storedAt: new Date(info.storedAt.getTime() - days) };
          }
        },
      });
    await using test = await testVault({ copies: ['local', 'eu'] });
    const holder = await test.vault.acquireLease('database/main', 'first', 60_000);
    const right = await test.reopen();
    await assert.rejects(right.acquireLease('database/main', 'second', 60_000), { code: 'LOCKED' });
    const ahead = await test.reopen({
      copies: test.options.copies.map((copy) => ({ ...copy, store: aged(copy.store) })),
    });
    const second = await ahead.acquireLease('database/main', 'second', 60_000);
    assert.ok(second.token > holder.token);
    await assert.rejects(holder.check(), { code: 'FENCED' });
    await assert.rejects(holder.renew(), { code: 'FENCED' });
    await second.check();
  });
});
