// Key slots, their removals and descriptors with bytes changed at random: always an error of the catalogue, soon, in little memory.

import assert from 'node:assert/strict';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { VaultKeys } from '../../../src/vault/crypto.ts';
import { makeDescriptor, parseDescriptor, verifyDescriptor } from '../../../src/vault/descriptor.ts';
import { generateKeyFile } from '../../../src/vault/index.ts';
import { makeSlot, openSlot, parseSlot } from '../../../src/vault/key-slots.ts';
import type { KeySource } from '../../../src/vault/key-sources.ts';
import { makeRemoval, openRemoval } from '../../../src/vault/slot-removals.ts';
import { seeded } from '../../support/seeded.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const ROUNDS = process.env.HOLDFAST_SWEEP === 'full' ? 60_000 : 4_000;
const seed = Number(process.env.HOLDFAST_SEED ?? randomInt(2 ** 31));
/** What the whole of it may add to this process; one scrypt of the dearest slot that is accepted takes 256 MiB, and none is computed here. */
const MOST_BYTES = 400 * 1024 * 1024;

type Random = () => number;
const below = (random: Random, limit: number) => Math.floor(random() * limit);
const pick = <Value>(random: Random, values: readonly Value[]) => values[below(random, values.length)] as Value;

const HOSTILE = [
  ...[
    'null',
    '-1',
    '1e308',
    '1e999',
    '0.5',
    '9007199254740993',
    '""',
    '[]',
    '{}',
    'true',
    '"__proto__"',
    '\u0000',
    '\ud800',
  ],
  ...[
    '[[[[[[[[',
    '{"a":'.repeat(500),
    '"'.repeat(99),
    '{"__proto__":{"kind":"file"}}',
    `"${'f'.repeat(9000)}"`,
    '1048577',
    '2147483647',
  ],
];

/** One to four changes: bits, cuts, pieces doubled or moved, numbers and texts that a parser may not expect. */
function mutate(random: Random, bytes: Buffer): Buffer {
  let changed = Buffer.from(bytes);
  for (let times = 1 + below(random, 4); times > 0; times--) {
    const at = below(random, changed.length + 1);
    const until = Math.min(changed.length, at + below(random, 40));
    const [head, piece, tail] = [changed.subarray(0, at), changed.subarray(at, until), changed.subarray(until)];
    const mutations = [
      () =>
        Buffer.concat([head, Buffer.from([below(random, 256)]), changed.subarray(Math.min(at + 1, changed.length))]),
      () => head,
      () => Buffer.concat([head, tail]),
      () => Buffer.concat([head, piece, piece, tail]),
      () => Buffer.concat([head, Buffer.from(pick(random, HOSTILE)), tail]),
      () => replaceValue(random, changed),
      () => Buffer.concat([tail, head, piece]),
    ];
    changed = Buffer.from(pick(random, mutations)());
  }
  return changed;
}

/** Puts something else in the place of one JSON value, so that the text stays JSON. */
function replaceValue(random: Random, bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const values = [...text.matchAll(/:("[^"]*"|\d+)/g)];
  const match = values.length === 0 ? undefined : pick(random, values);
  if (!match) return bytes;
  const start = match.index + 1;
  return Buffer.from(
    text.slice(0, start) + pick(random, HOSTILE) + text.slice(start + (match[1]?.length ?? 0)),
    'latin1',
  );
}

/** Runs `read` on mutants; it must give something or throw an error of the catalogue that tells no secret. */
async function fuzz(t: TestContext, bytes: readonly Buffer[], read: (mutant: Buffer) => unknown): Promise<number> {
  t.diagnostic(`seed ${seed}, ${ROUNDS} mutants`);
  const random = seeded(seed);
  const before = process.memoryUsage().rss;
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const mutant = mutate(random, pick(random, bytes));
    try {
      await read(mutant);
    } catch (error) {
      if (!isHoldfastError(error) || error.code === 'INTERNAL') {
        throw new Error(`round ${round} of seed ${seed}: ${mutant.toString('base64')}`, { cause: error });
      }
      refused++;
    }
  }
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < MOST_BYTES, `${grown} bytes more than before`);
  assert.ok(refused > ROUNDS / 2, `${refused} of ${ROUNDS} were refused`);
  return refused;
}

const id = randomUUID();
const vaultKey = randomBytes(32);
const core = { keys: new VaultKeys(id, vaultKey) };
const ciphertext = randomBytes(150);
const service = {
  location: 'a service that gives the same data key to everybody',
  generate: async () => ({ plain: randomBytes(32), ciphertext, keyId: 'arn:aws:kms:eu-central-1:1:key/x' }),
  unwrap: async () => randomBytes(32),
};

describe('fuzzed decoders of keys', () => {
  it('refuse a mutant of a slot object, or read one that says nothing dangerous and opens nothing', async (t) => {
    const path = join(await temporaryDirectory(t), 'fuzz.key');
    await generateKeyFile(path);
    const file: KeySource = { name: 'host', kind: 'file', path };
    const passphrase: KeySource = { name: 'host', kind: 'passphrase', resolve: async () => 'fuzz' };
    const kms: KeySource = { name: 'host', kind: 'kms', service };
    const slots: { source: KeySource; key: string; bytes: Buffer }[] = [];
    for (const source of [file, passphrase, kms]) slots.push({ source, ...(await makeSlot(id, vaultKey, source)) });
    await fuzz(
      t,
      slots.map(({ bytes }) => bytes),
      async (mutant) => {
        for (const { key, source } of slots) {
          let slot: ReturnType<typeof parseSlot>;
          try {
            slot = parseSlot(key, mutant);
          } catch (error) {
            if (key === slots.at(-1)?.key) throw error;
            continue;
          }
          const { scrypt } = slot as { scrypt?: { N: number; r: number; p: number } };
          if (scrypt) assert.ok(128 * scrypt.N * scrypt.r <= 2 ** 28 && scrypt.p <= 4 && scrypt.N >= 2 ** 15);
          // A passphrase takes a tenth of a second or more each; that it is bounded is what was just asserted.
          if (slot.kind === 'passphrase') continue;
          const opened = await openSlot(id, slot, source);
          const { key: _, ...content } = slot;
          assert.ok(opened === undefined || isSame(content, slots), 'a changed slot opened');
        }
      },
    );
  });

  it('refuse a mutant of a removal', async (t) => {
    const key = 'keys/host.0123abcd.json';
    const { key: name, bytes } = await makeRemoval(core, key, new Map([['keys/safe.0123abcd.json', Buffer.from('x')]]));
    const refused = await fuzz(t, [bytes], async (mutant) => {
      if (mutant.equals(bytes)) throw await openRemoval(core, name, Buffer.alloc(0)).catch((error: unknown) => error);
      await openRemoval(core, name, mutant);
    });
    assert.equal(refused, ROUNDS);
  });

  it('refuse a mutant of a descriptor, by its form or by its seal', async (t) => {
    const bytes = makeDescriptor(core.keys, 'acme', '2026-11-23T06:14:07.000000Z');
    const original = JSON.stringify(JSON.parse(bytes.toString()));
    await fuzz(t, [bytes], (mutant) => {
      const descriptor = parseDescriptor('local', mutant);
      // Blanks and keys that nobody knows change nothing; what is said is under the seal.
      if (JSON.stringify(descriptor) === original) return;
      verifyDescriptor(core.keys, 'local', descriptor);
      assert.fail('a changed descriptor was taken');
    });
  });
});

/** What is only for people (the name of the KMS key) is not under the seal. */
function isSame(content: object, slots: readonly { bytes: Buffer }[]): boolean {
  const bare = (each: object) => ({ ...each, kms: undefined });
  return slots.some(({ bytes }) => isDeepStrictEqual(bare(JSON.parse(bytes.toString())), bare(content)));
}
