// Months of an estate in minutes: three copies, retention every day, one copy away for days, a stolen writer on another, locks; what the plan keeps restores from each copy alone.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { addSeconds } from '../../src/domain/retention.ts';
import type { S3Server } from '../../src/sandbox/index.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { S3Store } from '../../src/stores/s3-store.ts';
import type { Store } from '../../src/stores/store.ts';
import { blockable } from '../support/blockable-store.ts';
import { testS3, wholeFile } from '../support/components.ts';
import {
  CHANGED_A_DAY,
  DATA_BYTES,
  isYoungEnough,
  LongEstate,
  QUARTER,
  requireRestorable,
  type Taken,
} from '../support/long-estate.ts';
import { ResticRepository } from '../support/restic-repository.ts';
import { DAY, type RetentionVault, retentionVault } from '../support/retention.ts';
import { COMPONENT, seededBytes } from '../support/vault.ts';

interface Calendar {
  readonly days: number;
  readonly keep: { readonly full: number; readonly incremental: number };
  readonly generation: number;
  readonly grace: number;
  readonly away: { readonly from: number; readonly days: number };
  readonly lockedOn: number;
  readonly attackedOn: number;
  /** At the end of each of these days, on which no copy is away, and at the end of all, everything is restored. */
  readonly checkpoints: readonly number[];
}

const isLong = process.env.HOLDFAST_SWEEP === 'full';
const calendar: Calendar = isLong
  ? {
      ...{ days: 120, keep: { full: 90, incremental: 7 }, generation: 7, grace: 7 },
      ...{ away: { from: 50, days: 10 }, lockedOn: 2, attackedOn: 70, checkpoints: [49, 60, 70, 95] },
    }
  : {
      ...{ days: 12, keep: { full: 3, incremental: 1 }, generation: 1, grace: 1 },
      ...{ away: { from: 3, days: 2 }, lockedOn: 0, attackedOn: 7, checkpoints: [5, 7] },
    };

/** What a copy may hold, as a multiple of what restic needs for the same days. */
const MOST_OF_RESTIC = 2;

const COPIES = ['local', 'eu', 'us'] as const;
/** Longer than the test can take: the store counts it by its own clock. */
const LOCK_MS = 12 * 3_600_000;

const server = await testS3(wholeFile);
const bucketOf = (copy: string) => `days-${copy}`;
for (const copy of ['eu', 'us']) await server.createBucket(bucketOf(copy), { objectLock: true });
const client = server.client();
after(() => client.destroy());

function bucketStore({ region, endpoint, accessKeyId, secretAccessKey }: S3Server, name: string): Store {
  const credentials = async () => ({ accessKeyId, secretAccessKey });
  return new S3Store(name, { bucket: bucketOf(name), region, endpoint, credentials, lock: 'compliance' });
}

/** The estate with its calendar, and everything that is known of it from outside the vault. */
class Months {
  readonly estate = new LongEstate();
  /** Ids that a sweep said are gone. */
  readonly gone = new Set<string>();
  readonly bytes: Record<string, number>[] = [];
  readonly locked: string[] = [];
  readonly #test: RetentionVault;
  readonly #network: ReturnType<typeof blockable>;
  #kept = 0;

  /** Keeps the same days; with the long calendar only. */
  readonly #restic: ResticRepository | undefined;
  /** By day, the copy with the most bytes as a multiple of restic's. */
  readonly ratios: number[] = [];

  constructor(test: RetentionVault, network: ReturnType<typeof blockable>, restic?: ResticRepository) {
    this.#test = test;
    this.#network = network;
    this.#restic = restic;
  }

  get keptByLock(): number {
    return this.#kept;
  }

  async pass(day: number): Promise<void> {
    const { away, lockedOn, attackedOn } = calendar;
    const { vault, clock } = this.#test;
    if (day === away.from) this.#network.block('us');
    const isAway = day >= away.from && day < away.from + away.days;
    if (day === away.from + away.days) await this.#bringBack('us');
    for (let quarter = 0; quarter < 4; quarter++) {
      const taken = await this.estate.quarter(vault, clock.now, isAway ? ['local', 'eu'] : COPIES);
      await this.#restic?.backUp(taken);
      clock.now = addSeconds(clock.now, QUARTER);
    }
    if (day === lockedOn) await this.#lock();
    if (day === attackedOn) await this.#attack();
    if (isAway) {
      const before = await this.#test.keysOn('local');
      await assert.rejects(this.#test.apply(), { code: 'RETENTION_DOUBT' });
      const isLease = (key: string) => key.startsWith('leases/');
      const still = await this.#test.keysOn('local');
      assert.deepEqual(
        still.filter((key) => !isLease(key)),
        before.filter((key) => !isLease(key)),
      );
    } else await this.#retain(day);
    await this.#compare(isAway ? ['local', 'eu'] : COPIES);
  }

  async #compare(present: readonly string[]): Promise<void> {
    if (this.#restic === undefined) return;
    await this.#restic.retain(calendar.keep);
    const most = Math.max(...Object.values(await this.#sizes(present)));
    this.ratios.push(most / (await this.#restic.bytes()));
  }

  async #sizes(present: readonly string[] = COPIES): Promise<Record<string, number>> {
    const sizes: Record<string, number> = {};
    for (const { description, store } of this.#test.options.copies) {
      if (!present.includes(description.name)) continue;
      let bytes = 0;
      for await (const { sizeBytes } of store.list('')) bytes += sizeBytes;
      sizes[description.name] = bytes;
    }
    return sizes;
  }

  async #retain(day: number): Promise<void> {
    const { swept, marked } = await this.#test.apply();
    assert.deepEqual([swept.refused, marked.refused], [[], []], `day ${day}`);
    for (const id of swept.snapshots) this.gone.add(id);
    for (const number of Object.values(swept.kept)) this.#kept = Math.max(this.#kept, number);
    this.bytes.push(await this.#sizes());
  }

  async #bringBack(copy: string): Promise<void> {
    this.#network.open(copy);
    await this.#test.vault.conditions();
    assert.deepEqual(await this.#test.vault.copiesBehind(), [copy]);
    await this.#test.vault.catchUp(copy);
    assert.deepEqual(await this.#test.vault.copiesBehind(), []);
  }

  /** Everything of the first generation, on one bucket, until long after the test. */
  async #lock(): Promise<void> {
    const eu = this.#test.options.copies.find(({ description }) => description.name === 'eu')?.store as Store;
    for (const key of await this.#test.keysOn('eu', `${COMPONENT}/generations/full-`)) {
      await eu.extendLock(key, new Date(Date.now() + LOCK_MS));
      this.locked.push(key);
    }
  }

  /** Somebody with the writer's credentials: junk over all of the day on one bucket, delete markers on the other. */
  async #attack(): Promise<void> {
    const since = new Date(Date.parse(`${this.#test.clock.now.slice(0, 23)}Z`) - DAY * 1000);
    const ofToday = [...this.#test.clock.storedAt].filter(([, at]) => at >= since).map(([place]) => place.split(' '));
    for (const [copy = '', Key = ''] of ofToday) {
      const Bucket = bucketOf(copy);
      if (!Key.startsWith(`${COMPONENT}/`)) continue;
      const Body = seededBytes(`junk ${Key}`, 700);
      if (copy === 'us') await client.send(new PutObjectCommand({ Bucket, Key, Body }));
      if (copy === 'eu') await client.send(new DeleteObjectCommand({ Bucket, Key }));
    }
  }

  /** What the plan keeps, after a look that it keeps at least what it must and nothing for no reason. */
  async #plannedToStay(): Promise<Taken[]> {
    const { vault, clock } = this.#test;
    const plan = await vault.retention.plan(this.#test.request());
    const planned = plan.components[0]?.snapshots.filter(({ reasons }) => reasons.length > 0) ?? [];
    const kept = new Set(planned.map(({ id }) => id));
    const young = this.estate.taken.filter((each) => isYoungEnough(each, clock.now, calendar.keep));
    assert.deepEqual(
      young.filter(({ id }) => !kept.has(id)).map(({ id }) => id),
      [],
    );
    const stay = this.estate.taken.filter(({ id }) => kept.has(id));
    assert.equal(stay.length, kept.size);
    assert.ok(stay.length <= young.length + 2, `${stay.length} stay, ${young.length} are young enough`);
    return stay;
  }

  async requireAll(): Promise<number> {
    const stay = await this.#plannedToStay();
    for (const copy of this.#test.options.copies) {
      const { name } = copy.description;
      const alone = await this.#test.reopen({ copies: [copy], policy: { copies: 1, offsite: 0 } });
      for (const taken of stay) await requireRestorable(alone, name, taken);
      const listed = (await alone.listSnapshots(COMPONENT)).map(({ id }) => id);
      assert.deepEqual(
        listed.filter((id) => this.gone.has(id)),
        [],
        `${name} has again what was deleted`,
      );
    }
    return stay.length;
  }

  /** Expired for longer than the grace and the days that retention may need for it. */
  async requireExpiredGone(): Promise<void> {
    const long = addSeconds(this.#test.clock.now, -(calendar.grace + 2) * DAY);
    const expired = this.estate.taken.filter((each) => !isYoungEnough(each, long, calendar.keep));
    assert.ok(expired.length > 10);
    for (const copy of COPIES) {
      const numbers = new Set(await this.#test.numbersOn(copy));
      assert.deepEqual(
        expired.filter(({ segment }) => numbers.has(segment)).map(({ id }) => id),
        [],
        `${copy} keeps what expired`,
      );
    }
  }
}

/** Most that may lie on a copy: whole data once a generation that can still be there, and what changed. */
function mostBytes(): number {
  const { keep, generation, grace, away } = calendar;
  const generations = (kept: number) => Math.ceil((kept + generation + 1 + grace + 2 + away.days) / generation) + 1;
  const [full, incremental] = [generations(keep.full), generations(keep.incremental)];
  const changes = (full + incremental) * generation * CHANGED_A_DAY;
  return 1.25 * (full * DATA_BYTES + changes);
}

async function versionsBytes(copy: string): Promise<number> {
  const Bucket = bucketOf(copy);
  let bytes = 0;
  for (let KeyMarker: string | undefined, VersionIdMarker: string | undefined; ; ) {
    const page = await client.send(new ListObjectVersionsCommand({ Bucket, KeyMarker, VersionIdMarker }));
    for (const { Size = 0 } of page.Versions ?? []) bytes += Size;
    if (page.IsTruncated !== true) return bytes;
    [KeyMarker, VersionIdMarker] = [page.NextKeyMarker, page.NextVersionIdMarker];
  }
}

describe(`${calendar.days} days of three copies with retention every day`, () => {
  it('keep what the policy keeps on each copy alone, bring nothing back, and do not grow', async (t) => {
    const network = blockable();
    await using test = await retentionVault({
      copies: COPIES,
      policy: { copies: 2, offsite: 1 },
      rules: {
        full: { ageSeconds: calendar.keep.full * DAY },
        incremental: { ageSeconds: calendar.keep.incremental * DAY },
      },
      store: async (name, directory) => (name === 'local' ? new FileStore(name, directory) : bucketStore(server, name)),
      wrap: network.wrap,
      changes: { generationMs: { database: calendar.generation * DAY * 1000 } },
      graceSeconds: calendar.grace * DAY,
    });
    t.after(() => test.vault.close());
    const restic = isLong ? await ResticRepository.make(join(test.directory, 'restic')) : undefined;
    const months = new Months(test, network, restic);
    for (let day = 0; day < calendar.days; day++) {
      await months.pass(day);
      if (calendar.checkpoints.includes(day)) t.diagnostic(`day ${day}: ${await months.requireAll()} restored`);
    }
    t.diagnostic(`at the end: ${await months.requireAll()} restored from each of ${COPIES.length} copies`);
    await months.requireExpiredGone();

    assert.ok(months.keptByLock > 0, 'no store refused to delete what is locked');
    const onEu = new Set(await test.keysOn('eu'));
    assert.deepEqual(
      months.locked.filter((key) => !onEu.has(key)),
      [],
    );
    const onUs = new Set(await test.keysOn('us'));
    assert.ok(months.locked.every((key) => !onUs.has(key)));

    const most = Math.max(...months.bytes.flatMap((each) => Object.values(each)));
    t.diagnostic(`bytes at the end ${JSON.stringify(months.bytes.at(-1))}, most ${most}, may be ${mostBytes()}`);
    t.diagnostic(`with all versions: eu ${await versionsBytes('eu')}, us ${await versionsBytes('us')}`);
    assert.ok(most <= mostBytes());
    if (restic !== undefined) {
      const { ratios } = months;
      const told = ratios.filter((_, day) => day % 10 === 9).map((ratio) => ratio.toFixed(2));
      t.diagnostic(`bytes of the largest copy by restic ${restic.version}'s, every tenth day: ${told.join(' ')}`);
      t.diagnostic(`most of all days: ${Math.max(...ratios).toFixed(2)}`);
      assert.ok(Math.max(...ratios) <= MOST_OF_RESTIC);
    }
    for (const copy of ['eu', 'us']) assert.ok((await versionsBytes(copy)) <= 1.1 * mostBytes());
  });
});
