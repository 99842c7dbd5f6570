// Key slots over several copies: what is given to whom, what may go, and that no removed slot comes back.

import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../../src/errors/index.ts';
import type { Store } from '../../../src/stores/store.ts';
import { withMethods } from '../../../src/stores/with-methods.ts';
import { createVault, generateKeyFile, type KeySource, type Vault } from '../../../src/vault/index.ts';
import { type TestVault, testVault } from '../../support/vault.ts';

const three = { copies: ['local', 'eu', 'us'], policy: { copies: 1, offsite: 0 } };
const wrong = { code: 'VAULT_KEY_WRONG' };

/** A vault with slots `host` and `second`, both key files. */
async function withTwo(setup: Parameters<typeof testVault>[0] = three) {
  const test = await testVault(setup);
  const [host] = test.options.keys;
  const second = await newKey(test, 'second');
  assert.ok(host);
  await createVault({ ...test.options, keys: [host, second] });
  return { test, host, second, vault: await test.reopen({ keys: [host, second] }) };
}

async function newKey(test: TestVault, name: string, file = `${name}.key`): Promise<KeySource> {
  const path = join(test.directory, file);
  await generateKeyFile(path);
  return { name, kind: 'file', path };
}

/** Names below `keys/`, without the random part: `host.json`, `host.removed`. */
async function slotNames(test: TestVault, copy: string): Promise<string[]> {
  const names = await readdir(join(test.path(copy), 'keys'));
  return names.map((name) => name.replace(/\.[0-9a-f]{8}\./, '.')).toSorted();
}

async function objectOf(test: TestVault, pattern: RegExp, copy = 'local'): Promise<string> {
  const [name, ...others] = (await readdir(join(test.path(copy), 'keys'))).filter((each) => pattern.test(each));
  assert.ok(name !== undefined && others.length === 0, `${name} ${others.join(' ')}`);
  return join(test.path(copy), 'keys', name);
}

/** The copy's directory is not there while `work` runs. */
async function without(test: TestVault, copy: string, work: () => Promise<void>): Promise<void> {
  await rename(test.path(copy), `${test.path(copy)}.away`);
  try {
    await work();
  } finally {
    await rename(`${test.path(copy)}.away`, test.path(copy));
  }
}

const onlyCopy = (test: TestVault, copy: string) =>
  test.options.copies.filter(({ description }) => description.name === copy);

describe('key slots', () => {
  it('open the vault each by itself, on each copy by itself', async () => {
    const { test, host, second } = await withTwo();
    await using _ = test;
    for (const copy of ['local', 'eu', 'us']) {
      assert.deepEqual(await slotNames(test, copy), ['host.json', 'second.json']);
      for (const key of [host, second]) await test.reopen({ copies: onlyCopy(test, copy), keys: [key] });
    }
  });

  it('open also when the configuration calls the key by another name', async () => {
    const { test, second } = await withTwo();
    await using _ = test;
    assert.ok(second.kind === 'file');
    const renamed = { ...second, name: 'written-anew' };
    assert.equal((await test.reopen({ keys: [renamed] })).id, test.vault.id);
  });

  it('are added once, and brought to a copy that lost them', async () => {
    const { test, host, vault } = await withTwo();
    await using _ = test;
    const third = await newKey(test, 'third');
    const first = await vault.slots.add(third);
    assert.deepEqual([first.made, first.copies], [true, ['local', 'eu', 'us']]);
    for (const name of await readdir(join(test.path('eu'), 'keys'))) await rm(join(test.path('eu'), 'keys', name));
    const again = await (await test.reopen({ keys: [host] })).slots.add(third);
    assert.deepEqual([again.made, again.object], [false, first.object]);
    assert.deepEqual(await slotNames(test, 'eu'), ['host.json', 'second.json', 'third.json']);
  });

  it('are refused for a key that does not open the slot of its name', async () => {
    const { test, vault } = await withTwo();
    await using _ = test;
    await assert.rejects(vault.slots.add(await newKey(test, 'second', 'other.key')), wrong);
    await assert.rejects(vault.slots.rotate(await newKey(test, 'none'), { fresh: false }), {
      code: 'NOT_FOUND',
      hint: /'host', 'second'/,
    });
  });

  it('keep the old object until the new one is on every copy and settled, and lose it then', async () => {
    const { test, second, vault } = await withTwo();
    await using _ = test;
    const next = await newKey(test, 'second', 'next.key');
    let seen: string[][] = [];
    const settle = async () => {
      seen = await Promise.all(['local', 'eu', 'us'].map((copy) => slotNames(test, copy)));
      await test.reopen({ keys: [second] });
    };
    const change = await vault.slots.rotate(next, { fresh: false, settle });
    assert.equal(change.removed.length, 1);
    assert.deepEqual(new Set(seen.flat()), new Set(['host.json', 'second.json']));
    assert.ok(seen.every((names) => names.length === 3));
    await test.reopen({ keys: [next] });
    await assert.rejects(test.reopen({ keys: [second] }), wrong);
  });

  it('keep the old object when what the new secret needs cannot be had', async () => {
    const { test, second, vault } = await withTwo();
    await using _ = test;
    const next = await newKey(test, 'second', 'next.key');
    const settle = () => Promise.reject(new HoldfastError('TARGET_UNFIT', 'no'));
    await assert.rejects(vault.slots.rotate(next, { fresh: false, settle }), { code: 'TARGET_UNFIT' });
    for (const key of [second, next]) await test.reopen({ keys: [key] });
  });

  it('opens with a passphrase in whatever form its accents are typed', async () => {
    const { test, vault } = await withTwo();
    await using _ = test;
    const safe = (text: string): KeySource => ({ name: 'safe', kind: 'passphrase', resolve: async () => text });
    await vault.slots.add(safe('Gr\u00fc\u00dfe'));
    assert.equal((await test.reopen({ keys: [safe('Gru\u0308\u00dfe')] })).id, test.vault.id);
    await vault.slots.rotate(safe('another'), { fresh: false });
    await test.reopen({ keys: [safe('another')] });
    await assert.rejects(test.reopen({ keys: [safe('Gr\u00fc\u00dfe')] }), wrong);
  });
});

describe('removing a slot', () => {
  it('is refused when nothing else opens right now, whatever is listed', async () => {
    const { test, host, second, vault } = await withTwo();
    await using _ = test;
    const last = { code: 'KEY_LAST' };
    const lost: KeySource = { name: 'host', kind: 'file', path: join(test.directory, 'lost.key') };
    await assert.rejects(vault.slots.remove('second', []), last);
    await assert.rejects(vault.slots.remove('second', [lost]), last);
    await assert.rejects(vault.slots.remove('second', [await newKey(test, 'host', 'foreign.key')]), last);
    await writeFile(await objectOf(test, /^host\./, 'us'), '{"slot":"host"}');
    await assert.rejects(vault.slots.remove('second', [host]), last);
    await test.reopen({ keys: [second] });
  });

  it('takes it from every copy and says so again when it is repeated', async () => {
    const { test, host, second, vault } = await withTwo();
    await using _ = test;
    const change = await vault.slots.remove('second', [host]);
    assert.deepEqual([change.removed.length, change.copies, change.behind], [1, ['local', 'eu', 'us'], []]);
    for (const copy of ['local', 'eu', 'us']) {
      assert.deepEqual(await slotNames(test, copy), ['host.json', 'second.removed']);
    }
    assert.deepEqual((await vault.slots.remove('second', [host])).removed, []);
    await assert.rejects(test.reopen({ keys: [second] }), wrong);
    await assert.rejects(vault.slots.remove('other', [host]), { code: 'NOT_FOUND' });
  });

  it('is not undone by set-up, only by somebody who adds it again', async () => {
    const { test, host, second, vault } = await withTwo();
    await using _ = test;
    await vault.slots.remove('second', [host]);
    await createVault({ ...test.options, keys: [host, second] });
    await assert.rejects(test.reopen({ keys: [second] }), wrong);
    assert.deepEqual((await vault.slots.list([])).removed, ['second']);
    await vault.slots.add(second);
    await test.reopen({ keys: [second] });
    assert.deepEqual((await vault.slots.list([])).removed, []);
  });

  it('leaves what a store has locked, says so, and takes it when the lock has ended', async () => {
    let isLocked = false;
    const wrap = (store: Store): Store =>
      withMethods(store, {
        delete: async (keys) => {
          const slots = keys.some((key) => key.startsWith('keys/'));
          if (isLocked && slots && store.name === 'us') throw new HoldfastError('OBJECT_LOCKED', 'locked');
          await store.delete(keys);
        },
      });
    const { test, host, second, vault } = await withTwo({ ...three, wrap });
    await using _ = test;
    isLocked = true;
    const change = await vault.slots.remove('second', [host]);
    assert.deepEqual([change.kept, change.behind, change.copies], [['us'], [], ['local', 'eu', 'us']]);
    assert.deepEqual(await slotNames(test, 'eu'), ['host.json', 'second.removed']);
    assert.deepEqual(await slotNames(test, 'us'), ['host.json', 'second.json', 'second.removed']);
    await test.reopen({ keys: [second], copies: onlyCopy(test, 'us') });
    await vault.catchUp('us');
    await vault.catchUp('eu');
    assert.deepEqual(await slotNames(test, 'eu'), ['host.json', 'second.removed']);
    isLocked = false;
    await vault.catchUp('us');
    assert.deepEqual(await slotNames(test, 'us'), ['host.json', 'second.removed']);
  });
});

describe('a copy that was away', () => {
  /** `second` removed and `host` rotated while `us` was away. */
  async function changed() {
    const { test, host, second } = await withTwo();
    const next = await newKey(test, 'host', 'next.key');
    await without(test, 'us', async () => {
      const vault = await test.reopen({ keys: [host] });
      const removed = await vault.slots.remove('second', [host]);
      assert.deepEqual(
        removed.behind.map(({ copy, error }) => [copy, error.code]),
        [['us', 'STORE_UNAVAILABLE']],
      );
      await vault.slots.rotate(next, { fresh: false });
    });
    return { test, host, second, next };
  }
  const settled = ['host.json', 'host.removed', 'second.removed'];

  it('still opens by its own slots until it has caught up, and is then as the others', async () => {
    const { test, host, second, next } = await changed();
    await using _ = test;
    for (const key of [host, second]) await test.reopen({ copies: onlyCopy(test, 'us'), keys: [key] });
    await (await test.reopen({ keys: [next] })).catchUp('us');
    for (const copy of ['local', 'eu', 'us']) assert.deepEqual(await slotNames(test, copy), settled);
    for (const key of [host, second]) await assert.rejects(test.reopen({ keys: [key] }), wrong);
    await test.reopen({ copies: onlyCopy(test, 'us'), keys: [next] });
  });

  it('gives nobody a slot that was removed meanwhile, neither by catch-up nor to a new copy', async () => {
    const { test, next } = await changed();
    await using _ = test;
    const vault = await test.reopen({ keys: [next] });
    await vault.catchUp('eu');
    assert.deepEqual(await slotNames(test, 'eu'), settled);
    for (const name of await readdir(test.path('eu'))) await rm(join(test.path('eu'), name), { recursive: true });
    const again = await test.reopen({ keys: [next] });
    await again.adoptCopy('eu');
    assert.deepEqual(await slotNames(test, 'eu'), settled);
    assert.equal((await slotNames(test, 'us')).length, 2, 'the stale copy itself is left to its own catch-up');
  });

  it('is brought in line by the next change of any slot as well', async () => {
    const { test, next } = await changed();
    await using _ = test;
    await (await test.reopen({ keys: [next] })).slots.add(next);
    assert.deepEqual(await slotNames(test, 'us'), settled);
  });

  it('keeps a removed slot while it has nothing that was proven to open', async () => {
    const { test, host, next } = await changed();
    await using _ = test;
    const vault = await test.reopen({ keys: [next] });
    for (const copy of ['local', 'eu']) {
      const bytes = await readFile(await objectOf(test, /^host\..*json$/, copy));
      await writeFile(await objectOf(test, /^host\..*json$/, copy), bytes.fill('x', 0, 1));
    }
    await vault.catchUp('us');
    assert.deepEqual(
      (await slotNames(test, 'us')).filter((name) => name.endsWith('.json')),
      ['host.json', 'second.json'],
    );
    await test.reopen({ keys: [host] });
  });
});

describe('what somebody without a key puts beside the slots', () => {
  async function opensAfter(write: (test: TestVault, vault: Vault) => Promise<void>): Promise<void> {
    const { test, host, second, vault } = await withTwo();
    await using _ = test;
    await write(test, vault);
    await (await test.reopen({ keys: [host] })).slots.add(host);
    await vault.catchUp('local');
    for (const key of [host, second]) await test.reopen({ keys: [key], copies: onlyCopy(test, 'local') });
  }

  it('removes nothing: a removal that is forged, of another vault, or under another name', async () => {
    await opensAfter(async (test) => {
      const name = (await objectOf(test, /^second\./)).replace(/json$/, 'removed');
      await writeFile(name, 'gone');
    });
    await opensAfter(async (test) => {
      const other = await withTwo();
      await using _ = other.test;
      await other.vault.slots.remove('second', [other.host]);
      const removal = await objectOf(other.test, /removed$/);
      await copyFile(removal, (await objectOf(test, /^second\./)).replace(/json$/, 'removed'));
    });
    await opensAfter(async (test, vault) => {
      const third = await newKey(test, 'third');
      await vault.slots.add(third);
      await vault.slots.remove('third', test.options.keys);
      const removal = await objectOf(test, /removed$/);
      await copyFile(removal, (await objectOf(test, /^second\./)).replace(/json$/, 'removed'));
    });
  });

  it('keeps nobody from opening: hundreds of slots that open nothing, one that is huge, and names that are none', async () => {
    await opensAfter(async (test) => {
      const text = await readFile(await objectOf(test, /^host\./), 'utf8');
      for (let number = 0; number < 300; number++) {
        const name = `a${number}.${String(number).padStart(8, '0')}.json`;
        await writeFile(join(test.path('local'), 'keys', name), text.replace('"host"', `"a${number}"`));
      }
      await writeFile(join(test.path('local'), 'keys', 'host.00000000.json'), Buffer.alloc(3_000_000, '['));
      for (const name of ['host.json', 'host.XYZ.json', 'README', 'host.0.removed']) {
        await writeFile(join(test.path('local'), 'keys', name), '{}');
      }
    });
  });

  it('does not open as a slot: one that was removed and is stored again under a new name', async () => {
    const { test, host, second, vault } = await withTwo();
    await using _ = test;
    const removed = await objectOf(test, /^second\./);
    const bytes = await readFile(removed);
    await vault.slots.remove('second', [host]);
    await writeFile(removed.replace(/[0-9a-f]{8}\.json$/, '12345678.json'), bytes);
    await assert.rejects(test.reopen({ keys: [second] }), wrong);
  });
});

describe('a test of the slots', () => {
  it('says of each slot on each copy whether it opens, and finds what is damaged, gone or away', async () => {
    const { test, host, second, vault } = await withTwo();
    await using _ = test;
    const fine = await vault.slots.test([host, second]);
    assert.equal(fine.length, 6);
    assert.ok(fine.every(({ error }) => error === undefined));
    const damaged = await objectOf(test, /^host\./, 'local');
    await writeFile(damaged, (await readFile(damaged, 'utf8')).replace(/"wrapped":"./, '"wrapped":"x'));
    await rm(await objectOf(test, /^host\./, 'eu'));
    await without(test, 'us', async () => {
      const tests = await (await test.reopen({ keys: [second] })).slots.test([host], 'host');
      assert.deepEqual(
        tests.map(({ copy, error }) => [copy, error?.code]),
        [
          ['local', 'OBJECT_DAMAGED'],
          ['eu', 'OBJECT_MISSING'],
          ['us', 'STORE_UNAVAILABLE'],
        ],
      );
    });
    const [unknown] = await vault.slots.test([host], 'second');
    assert.equal(unknown?.error?.code, 'VAULT_KEY_WRONG');
  });
});
