// The copy that a snapshot is read from: one that is asked for is meant, whatever another one could give.

import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { ComponentId } from '../../../src/domain/component.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { chooseSnapshot } from '../../../src/files/index.ts';
import { chooseRedis } from '../../../src/redis/index.ts';
import { type SnapshotOnCopies, servingCopy, type Vault } from '../../../src/vault/index.ts';
import { blockable } from '../../support/blockable-store.ts';
import { seededBytes, snapshotId, type TestVault, takeSnapshot, testVault } from '../../support/vault.ts';

const files = { 'a/b': seededBytes('serving', 200_000) };

async function estate(component: ComponentId) {
  const stores = blockable();
  const test = await testVault({ copies: ['local', 'eu', 'us'], wrap: stores.wrap });
  await takeSnapshot(test.vault, files, 1, { component });
  return { test, stores, component };
}

const refusal = async (asked: Promise<unknown>) => {
  const error = await asked.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isHoldfastError(error, 'NO_SNAPSHOT'), String(error));
  return error;
};

/** From the vault opened anew: what a copy was like when it was last asked is forgotten. */
async function found({ test, component }: { test: TestVault; component: ComponentId }, number = 1) {
  const vault = await test.reopen();
  const all = await vault.listSnapshots(component);
  return { vault, snapshot: all.find(({ id }) => id === snapshotId(number)) ?? assert.fail('no such snapshot') };
}

const from = ({ vault, snapshot }: { vault: Vault; snapshot: SnapshotOnCopies }, copy?: string) =>
  servingCopy(vault, snapshot, copy);

async function manifestOn(test: TestVault, copy: string, component: ComponentId): Promise<string> {
  const names = await readdir(test.path(copy), { recursive: true });
  const own = names.filter((name) => name.startsWith(`${component}/snapshots/`) && name.includes(snapshotId(1)));
  assert.equal(own.length, 1, own.join());
  return path.join(test.path(copy), own[0] ?? '');
}

async function packOn(test: TestVault, copy: string): Promise<string> {
  const names = await readdir(test.path(copy), { recursive: true });
  const [first] = names.filter((name) => /packs\/..\/[0-9a-f]{64}$/.test(name));
  return path.join(test.path(copy), first ?? assert.fail(`no pack in ${names.join()}`));
}

/** Objects are never written to: another one takes its place, as large. */
async function overwrite(file: string): Promise<void> {
  const bytes = await readFile(file);
  await rm(file);
  await writeFile(file, bytes.fill(7, 20));
}

describe('the copy that is asked for', () => {
  it('serves where it has the snapshot; without one, the first that has it does', async () => {
    const here = await estate('files/uploads');
    await using _ = here.test;
    assert.equal(await from(await found(here), 'us'), 'us');
    assert.equal(await from(await found(here)), 'local');
  });

  it('is refused while it is away, with why and what can serve, for every kind', async () => {
    const target = { type: 'latest' } as const;
    const ways = [
      {
        component: 'files/uploads',
        choose: (vault: Vault) => chooseSnapshot(vault, 'files/uploads', target, { from: 'us' }),
      },
      { component: 'redis/cache', choose: (vault: Vault) => chooseRedis(vault, 'redis/cache', target, 'us') },
    ] as const;
    for (const { component, choose } of ways) {
      const here = await estate(component);
      await using _ = here.test;
      here.stores.block('us');
      const { message, hint } = await refusal(choose((await found(here)).vault));
      assert.equal(message, "copy 'us' is away: 'us' is cut off");
      assert.match(
        hint,
        /^`--from local` or `--from eu` can serve; without `--from` Holdfast takes the nearest that can$/,
      );
      here.stores.open('us');
      await choose(await here.test.reopen());
    }
  });

  it('is refused where it lacks the newest snapshot: no older one is taken for it', async () => {
    const here = await estate('files/uploads');
    await using _ = here.test;
    here.stores.block('us');
    await takeSnapshot(here.test.vault, { c: seededBytes('later', 1000) }, 2, { component: here.component });
    here.stores.open('us');
    const { vault } = await found(here, 2);
    const { message, hint } = await refusal(chooseSnapshot(vault, here.component, { type: 'latest' }, { from: 'us' }));
    assert.match(
      message,
      /^snapshot '.*-00000002' was asked for from copy 'us', which does not have it whole: .* is not on 'us'$/,
    );
    assert.match(hint, /^`--from local` or `--from eu` can serve/);
  });

  it('is refused where it shows the snapshot and cannot give it: that is not the same as to lack it', async () => {
    const here = await estate('files/uploads');
    await using _ = here.test;
    await overwrite(await manifestOn(here.test, 'us', here.component));
    const { message } = await refusal(from(await found(here), 'us'));
    assert.match(message, /from copy 'us', which cannot give it: /);
  });

  const lost = {
    'a pack that it does not list': (file: string) => rm(file),
    'a pack that it lists with another size': (file: string) => truncate(file, 100),
  };
  for (const [what, harm] of Object.entries(lost)) {
    it(`is refused where it has not got all of it: ${what}`, async () => {
      const here = await estate('files/uploads');
      await using _ = here.test;
      await harm(await packOn(here.test, 'us'));
      const { message, hint } = await refusal(from(await found(here), 'us'));
      assert.match(
        message,
        /from copy 'us', which does not have it whole: 'us' lacks '[0-9a-f]{64}' which the snapshot needs$/,
      );
      assert.match(hint, /^`--from local` or `--from eu` can serve/);
      await harm(await packOn(here.test, 'eu'));
      assert.match((await refusal(from(await found(here), 'us'))).hint, /^`--from local` can serve/);
      await harm(await packOn(here.test, 'local'));
      assert.match(
        (await refusal(from(await found(here), 'us'))).hint,
        /^no copy that answers has all of it: without /,
      );
      assert.equal(await from(await found(here)), 'local');
    });
  }

  it('is refused for a manifest that cannot be read any more, though this process has read it before', async () => {
    const here = await estate('files/uploads');
    await using _ = here.test;
    const warm = await found(here);
    await overwrite(await manifestOn(here.test, 'us', here.component));
    const [snapshot] = await warm.vault.listSnapshots(here.component);
    assert.equal(snapshot?.copies.us, 'present');
    const { message } = await refusal(from({ ...warm, snapshot }, 'us'));
    assert.match(message, /from copy 'us', which cannot give it: /);
  });

  it('is refused without a way out where no other can serve', async () => {
    const here = await estate('files/uploads');
    await using _ = here.test;
    const lone = await found(here);
    for (const copy of ['local', 'eu']) here.stores.block(copy);
    const states = { local: 'away', eu: 'away', us: 'absent' } as const;
    await rm(await manifestOn(here.test, 'us', here.component));
    const { hint } = await refusal(from({ ...lone, snapshot: { ...lone.snapshot, copies: states } }, 'us'));
    assert.match(hint, /^no other copy that answers has it either; `holdfast copies` tells why$/);
  });
});

it('a moment before everything is told with what is typed there: after an option, or by itself', async () => {
  const here = await estate('files/uploads');
  await using _ = here.test;
  const target = { type: 'time', moment: '2020-01-01T00:00:00.000000Z' } as never;
  const hintOf = (before: '' | '--to ') =>
    chooseSnapshot(here.test.vault, here.component, target, { before }).then(
      () => assert.fail('it was not refused'),
      (error: unknown) => (isHoldfastError(error, 'TARGET_OUTSIDE') ? error.hint : assert.fail(String(error))),
    );
  assert.match(await hintOf('--to '), /^the oldest is complete from `--to 2026-11-23T06:15:00Z` on; `--to snapshot:/);
  assert.match(await hintOf(''), /^the oldest is complete from `2026-11-23T06:15:00Z` on; `snapshot:/);
});

it('a moment within the oldest capture of Redis is refused: only its beginning, as it is shown, means it', async () => {
  const here = await estate('redis/cache');
  await using _ = here.test;
  const at = (moment: string) => chooseRedis(here.test.vault, 'redis/cache', { type: 'time', moment } as never);
  assert.equal((await at('2026-11-23T06:14:07.000000Z')).snapshot.id, snapshotId(1));
  const error = await at('2026-11-23T06:14:07.000001Z').then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isHoldfastError(error, 'TARGET_OUTSIDE'), String(error));
  assert.match(error.hint ?? '', /`--to snapshot:\S+` or its beginning, `--to 2026-11-23T06:14:07Z`, gives it back/);
});
