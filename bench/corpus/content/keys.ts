// Keys as applications keep them in Redis: every type of value, small and large, from a seed, as commands in the protocol's own form.

import { Random } from '../random.ts';
import { capitalized, vocabulary } from '../vocabulary.ts';
import { attributes, uuid, words } from './documents.ts';

/** Later than any run: what expires must do so in no server that is compared. */
const expiryMs = Date.UTC(2100, 0, 1);
const yearMs = 365 * 86_400_000;
/** What is packed already, as pictures and rendered pages are, comes from here. */
const PACKED_BYTES = 16 * 1024 * 1024;
/** Of a command that fills a large value piece by piece. */
const MEMBERS_AT_ONCE = 500;
/** Of a large value at scale 1. */
const LARGE_MEMBERS = 50_000;
/** Of values that are just too large to be packed into one string each. */
const middling = (random: Random) => 130 + random.below(150);

interface Source {
  readonly random: Random;
  /** Bytes that nothing compresses, a character each. */
  readonly packed: string;
  /** Members of a large value. */
  readonly large: number;
}

interface Kind {
  /** Keys at scale 1; at a smaller one at least one of each. */
  readonly count: number;
  readonly make: (source: Source, number: number) => Iterable<string>;
}

const kinds: readonly Kind[] = [
  { count: 330_000, make: session },
  { count: 45_000, make: page },
  { count: 500_000, make: counter },
  { count: 350_000, make: user },
  { count: 50_000, make: list },
  { count: 70_000, make: followers },
  { count: 40_000, make: tags },
  { count: 90_000, make: board },
  { count: 1_500, make: middlingBoard },
  { count: 1_500, make: middlingHash },
  { count: 1_500, make: middlingSet },
  { count: 15, make: largeBoard },
  { count: 8, make: largeHash },
  { count: 4, make: largeSet },
  { count: 150, make: stream },
  { count: 200, make: visitors },
  { count: 100, make: bitmap },
];
/** In a database of their own. */
const otherKinds: readonly Kind[] = [{ count: 250_000, make: token }];
const OTHER_DATABASE = 3;

/** Always the same for a seed, a command or several at a time; every character is a byte. */
export function* keys(seed: string, scale: number): Generator<string> {
  const random = new Random(`keys|${seed}`);
  const packed = random.bytes(PACKED_BYTES).toString('latin1');
  const source = { random, packed, large: Math.max(600, Math.round(LARGE_MEMBERS * Math.min(1, scale * 20))) };
  yield* made(source, kinds, scale);
  yield command('SELECT', OTHER_DATABASE);
  yield* made(source, otherKinds, scale);
}

/** How many keys that gives. */
export function keyCount(scale: number): number {
  return [...kinds, ...otherKinds].reduce((sum, { count }) => sum + scaled(count, scale), 0);
}

function* made(source: Source, of: readonly Kind[], scale: number): Generator<string> {
  for (const { count, make } of of) {
    for (let number = 0, end = scaled(count, scale); number < end; number++) yield* make(source, number);
  }
}

function scaled(count: number, scale: number): number {
  return Math.max(1, Math.round(count * scale));
}

/** As servers read commands: an array of bulk strings. */
function command(...parts: readonly (string | number)[]): string {
  let text = `*${parts.length}\r\n`;
  for (const part of parts) {
    const each = String(part);
    text += `$${each.length}\r\n${each}\r\n`;
  }
  return text;
}

const word = (random: Random) => random.pickSkewed(vocabulary);

function* session({ random }: Source): Generator<string> {
  const history = words(random, 4 + random.below(24));
  const value = `{"user":${random.below(1e7)},"csrf":"${uuid(random)}","last":"${history}","data":${attributes(random)}}`;
  const expiry = random.next() < 0.6 ? ['PXAT', expiryMs + random.below(yearMs)] : [];
  yield command('SET', `session:${uuid(random)}`, value, ...expiry);
}

function* page({ random, packed }: Source, number: number): Generator<string> {
  const length = 500 + Math.floor(random.next() ** 2 * 9000);
  const at = random.below(packed.length - length);
  yield command('SET', `page:${number}:${word(random)}`, packed.slice(at, at + length));
}

function* counter({ random }: Source, number: number): Generator<string> {
  yield command('SET', `views:${number}`, random.below(1e9));
}

function* user({ random }: Source, number: number): Generator<string> {
  const name = `${word(random)}.${word(random)}`;
  yield command(
    ...['HSET', `user:${number}`, 'name', name, 'mail', `${name}@${word(random)}.example`],
    ...['city', capitalized(word(random)), 'visits', random.below(5000)],
    ...['created', new Date(expiryMs - yearMs + random.below(yearMs)).toISOString(), 'key', uuid(random)],
  );
}

function* list({ random }: Source, number: number): Generator<string> {
  const messages = Array.from({ length: 5 + random.below(50) }, () => words(random, 6 + random.below(12)));
  yield command('RPUSH', `inbox:${number}`, ...messages);
}

function* followers({ random }: Source, number: number): Generator<string> {
  const ids = Array.from({ length: 10 + random.below(190) }, () => random.below(1e7));
  yield command('SADD', `followers:${number}`, ...ids);
}

function* tags({ random }: Source, number: number): Generator<string> {
  const members = Array.from({ length: 3 + random.below(20) }, () => word(random));
  yield command('SADD', `tags:${number}`, ...members);
}

function* board({ random }: Source, number: number): Generator<string> {
  const scores = Array.from({ length: 3 + random.below(15) }, () => [random.below(1e6) / 10, word(random)]);
  yield command('ZADD', `board:${number}`, ...scores.flat());
}

const boardOf = (random: Random, members: number, key: string) =>
  inPieces(members, (at) => [random.next() * 1e6, `player:${at}:${word(random)}`], 'ZADD', key);
const hashOf = (random: Random, members: number, key: string) =>
  inPieces(members, (at) => [`sku:${at}`, words(random, 3 + random.below(8))], 'HSET', key);
const setOf = (random: Random, members: number, key: string) => inPieces(members, () => [uuid(random)], 'SADD', key);

function middlingBoard({ random }: Source, number: number): Iterable<string> {
  return boardOf(random, middling(random), `league:${number}`);
}

function middlingHash({ random }: Source, number: number): Iterable<string> {
  return hashOf(random, middling(random), `shelf:${number}`);
}

function middlingSet({ random }: Source, number: number): Iterable<string> {
  return setOf(random, middling(random), `group:${number}`);
}

function largeBoard({ random, large }: Source, number: number): Iterable<string> {
  return boardOf(random, large, `ranking:${number}`);
}

function largeHash({ random, large }: Source, number: number): Iterable<string> {
  return hashOf(random, large, `catalogue:${number}`);
}

function largeSet({ random, large }: Source, number: number): Iterable<string> {
  return setOf(random, large, `seen:${number}`);
}

function* inPieces(
  members: number,
  member: (at: number) => (string | number)[],
  ...start: readonly string[]
): Generator<string> {
  for (let from = 0; from < members; from += MEMBERS_AT_ONCE) {
    const count = Math.min(MEMBERS_AT_ONCE, members - from);
    const piece = Array.from({ length: count }, (_, at) => member(from + at));
    yield command(...start, ...piece.flat());
  }
}

function* stream({ random, large }: Source, number: number): Generator<string> {
  const key = `events:${number}`;
  for (let at = 1, end = large / 30; at <= end; at++) {
    const fields = ['kind', random.pick(['click', 'open', 'buy']), 'user', random.below(1e6), 'at', words(random, 8)];
    yield command('XADD', key, `${at * 1000 + random.below(1000)}-0`, ...fields);
  }
  yield command('XGROUP', 'CREATE', key, 'workers', '0');
  yield command('XREADGROUP', 'GROUP', 'workers', 'first', 'COUNT', 20, 'STREAMS', key, '>');
}

function* visitors({ random }: Source, number: number): Generator<string> {
  const ids = Array.from({ length: 1000 }, () => random.below(1e9));
  yield command('PFADD', `visitors:${number}`, ...ids);
}

function* bitmap({ random }: Source, number: number): Generator<string> {
  for (let left = 50; left > 0; left--) yield command('SETBIT', `days:${number}`, random.below(200_000), 1);
}

function* token({ random }: Source): Generator<string> {
  yield command(
    'SET',
    `token:${uuid(random)}`,
    random.below(1e9).toString(36),
    'PXAT',
    expiryMs + random.below(yearMs),
  );
}
