// Made the golden vault of version 1, once: `node_modules/.bin/node test/golden/make.ts DIRECTORY`. Its salts are random, so it is never made again.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import { lsnFrom, lsnValue } from '../../src/domain/lsn.ts';
import type { Moment } from '../../src/domain/moment.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { createVault, type KeySource, type LogHeader, openVault, type Vault } from '../../src/vault/index.ts';
import { ClockedStore, TestClock } from '../support/clocked-store.ts';
import { idAt } from '../support/retention.ts';
import { inPieces, seededBytes } from '../support/vault.ts';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const keyOf = (word: string) => `holdfast-key-1:${sha256(`golden vault, published test key: ${word}`)}\n`;
/** With an accent in its decomposed form, which a reader has to compose. */
const passphrase = 'une clé publie\u0301e pour les tests';
const SYSTEM = '7432198765432109876';
const SEGMENT = 1024 * 1024;
const DAY = 86_400_000;
const history = '1\t0/280000\tno recovery target specified\n';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('where to?');
const at = (name: string) => path.join(directory, name);
await mkdir(at('vault'), { recursive: true });
for (const word of ['host', 'second', 'second-rotated'])
  await writeFile(at(`${word}.key`), keyOf(word), { mode: 0o600 });
await writeFile(at('passphrase'), `${passphrase}\n`, { mode: 0o600 });

const clock = new TestClock('2026-11-23T06:00:00.000000Z' as Moment);
const store = new ClockedStore(new FileStore('local', at('vault')), clock);
const description = { name: 'local', site: 'home', medium: 'disk', offsite: false, location: 'golden' };
const file = (name: string, word = name): KeySource => ({ name, kind: 'file', path: at(`${word}.key`) });
const safe: KeySource = { name: 'safe', kind: 'passphrase', resolve: async () => passphrase };
const options = {
  estate: 'golden',
  copies: [{ description, store }],
  policy: { copies: 1, offsite: 0 },
  keys: [file('host'), file('second'), safe],
  logger: pino({ level: 'warn' }),
  host: 'db1',
  generationMs: { database: DAY, files: DAY },
};

const vault = await createVault(options);
await vault.slots.rotate(file('second', 'second-rotated'), { fresh: false });
await fillLog(vault);
const expected: Record<string, unknown> = {};
await capture('physical', 1, 'full', 'clean', pages(1));
await pass(0.1);
await capture('physical', 2, 'full', 'damaged', pages(2));
await pass(0.1);
// Of a shorter-lived class: what the full ones hold is not stored again.
await capture('physical', 3, 'incremental', 'clean', pages(3));
await pass(3);
const zipped = await openVault({ ...options, compression: 'gzip' });
await capture('physical', 4, 'full', 'clean', pages(4), zipped);
await pass(1);
await capture('files', 5, 'daily', 'clean', uploads(5));
await pass(3);
await capture('files', 6, 'daily', 'clean', uploads(6));
await vault.putRecord('backup-1', 'result', { state: 'completed', snapshot: 'the first' });
await vault.retention.hold({ component: 'database/main', reason: 'golden', by: 'test', at: clock.now });
await pass(4);
const marked = await vault.retention.mark({
  run: 'retention-1',
  by: 'test',
  policies: [{ component: 'files/uploads', rules: { daily: { ageSeconds: 5 * 86_400 } } }],
  timezone: 'UTC',
  graceSeconds: 7 * 86_400,
  maximum: { share: 1, snapshots: 1000 },
  proofs: {},
  passing: [],
  now: () => clock.now,
});
process.stderr.write(`${JSON.stringify(marked)}\n`);
await vault.close();
for (const name of ['FORMAT.md', 'rescue.mjs']) await rm(path.join(at('vault'), name)); // no part of the vault
const objects: Record<string, string> = {};
for (const entry of (await readdir(at('vault'), { recursive: true, withFileTypes: true })).filter((each) =>
  each.isFile(),
)) {
  const name = path.join(entry.parentPath, entry.name);
  objects[path.relative(at('vault'), name)] = sha256(await readFile(name));
}
const sorted = Object.fromEntries(Object.entries(objects).sort(([a], [b]) => (a < b ? -1 : 1)));
await writeFile(
  at('expected.json'),
  `${JSON.stringify({ system: SYSTEM, snapshots: expected, log: logExpected(), objects: sorted }, null, 1)}\n`,
);

async function pass(days: number): Promise<void> {
  clock.now = new Date(Date.parse(clock.now) + days * DAY).toISOString().replace('Z', '000Z') as Moment;
}

type Content = Readonly<Record<string, Buffer>>;

/** A small cluster whose pages change a little from one capture to the next. */
function pages(number: number): Content {
  const relation = Buffer.concat(
    [0, 1, 2].map((page) => seededBytes(`page ${page} ${page === 1 ? number : ''}`, 65_536)),
  );
  return {
    PG_VERSION: Buffer.from('17\n'),
    'base/5/16384': relation,
    'base/5/16385': Buffer.from(`row ${number} `.repeat(9000)),
    'base/5/16386': Buffer.alloc(0),
    'pg_tblspc/16390/PG_17_202406281/5/16391': seededBytes('in the tablespace', 8192),
    'global/pg_control': seededBytes('control', 8192),
    backup_label: Buffer.from('START WAL LOCATION: 0/100028\n'),
    'postgresql.conf': Buffer.from('archive_mode = on\n'),
  };
}

function uploads(number: number): Content {
  return {
    'a name with spaces and ü': Buffer.from('ü'.repeat(10)),
    'deep/er/file.txt': Buffer.from(`number ${number}`),
    large: seededBytes('large', 300_000),
    ...Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`small/${n}`, Buffer.from(`small ${n} `.repeat(n))])),
  };
}

async function capture(
  kind: 'physical' | 'files',
  number: number,
  group: string,
  state: 'clean' | 'damaged',
  content: Content,
  into: Vault = vault,
): Promise<void> {
  const component = kind === 'physical' ? 'database/main' : 'files/uploads';
  const id = idAt(clock.now, number);
  const longerLived = group === 'incremental' ? ['full'] : [];
  const writer = await into.writeSnapshot({
    id,
    component,
    kind,
    class: group,
    longerLived,
    from: clock.now,
    host: 'db1',
  });
  const entries: Record<string, unknown> = {};
  const keep = (entry: { path: string; mode: number; mtimeSeconds: number }, more: object) => {
    const { path: name, ...rest } = entry;
    entries[name] = { ...rest, ...more };
  };
  const empty = { path: 'empty', mode: 0o750, mtimeSeconds: 1_763_000_000 };
  await writer.addDirectory(empty);
  keep(empty, { type: 'directory' });
  for (const [name, bytes] of Object.entries(content)) {
    const entry = { path: name, mode: 0o640, mtimeSeconds: 1_763_000_001, mtimeNanos: 500_000_000 };
    await writer.addFile({ ...entry, chunking: name.startsWith('base/') ? 'pages' : 'content' }, inPieces(bytes));
    keep(entry, { type: 'file', sha256: sha256(bytes), sizeBytes: bytes.length });
  }
  if (kind === 'files') {
    const link = { path: 'link', mode: 0o777, mtimeSeconds: 1_763_000_002 };
    await writer.addSymlink({ ...link, linkTarget: 'deep/er/file.txt' });
    keep(link, { type: 'symlink', linkTarget: 'deep/er/file.txt' });
  }
  const engine = kind === 'physical' ? details(content) : {};
  await writer.commit({ to: clock.now, state, engine });
  expected[id] = { component, kind, class: group, state, engine, entries };
}

function details(content: Content) {
  return {
    ...{ systemId: SYSTEM, versionNum: 170_011, major: 17, timeline: 1, startLsn: '0/100028', stopLsn: '0/180000' },
    ...{ segmentSizeBytes: SEGMENT, pageSizeBytes: 8192, pageChecksums: false },
    tablespaces: [{ oid: 16_390, location: '/srv/apart' }],
    recoverySettings: { max_connections: 100 },
    sharedPreloadLibraries: [],
    locale: { collate: 'C', ctype: 'C', encoding: 'UTF8' },
    sizeBytes: Object.values(content).reduce((sum, { length }) => sum + length, 0),
    damagedPages: [],
  };
}

/** Not log that a server could read, but bytes that are the same wherever two objects hold the same position. */
function logBytes(timeline: number, from: number, to: number): Buffer {
  const line = (position: number) =>
    `${position < 0x280000 ? 1 : timeline} ${position.toString(16).padStart(13, '0')}\n`;
  const lines = [];
  for (let position = from - (from % 16); position < to; position += 16) lines.push(line(position));
  return Buffer.from(lines.join('')).subarray(from % 16, (from % 16) + to - from);
}

function pieces() {
  return [
    { timeline: 1, from: 0x100000, to: 0x200000, closed: true },
    { timeline: 1, from: 0x200000, to: 0x240000, closed: false },
    { timeline: 1, from: 0x230000, to: 0x280000, closed: false },
    { timeline: 2, from: 0x200000, to: 0x300000, closed: true },
    { timeline: 2, from: 0x300000, to: 0x300100, closed: false },
    { timeline: 2, from: 0x300100, to: 0x312340, closed: false },
  ];
}

async function fillLog(into: Vault): Promise<void> {
  const log = into.log('database/main', SYSTEM, 'local');
  for (const { timeline, from, to, closed } of pieces()) {
    const bytes = logBytes(timeline, from, to);
    const point = { lsn: lsnFrom(BigInt(from + 16)), time: '2026-11-23T06:00:01.000000Z' as Moment };
    const header: LogHeader = {
      ...{ timeline, segmentSizeBytes: SEGMENT, fromLsn: lsnFrom(BigInt(from)), toLsn: lsnFrom(BigInt(to)) },
      ...{ sha256: sha256(bytes), first: point, last: point, maxTime: point.time, restorePoints: [] },
    };
    if (closed) await log.putSegment(header, bytes);
    else await log.putExtent(header, bytes);
  }
  await log.putHistory(2, history);
  for (const timeline of [1, 2]) {
    const mark = { time: '2026-11-23T06:00:02.000000Z' as Moment, lsn: lsnFrom(lsnValue(lsnFrom(0x270000n))) };
    await log.putMark(timeline, mark);
  }
}

/** The files that a server would be given: full size, zeros behind the end of what is known. */
function logExpected() {
  const whole = (timeline: number, from: number, to: number) => {
    const bytes = Buffer.alloc(SEGMENT);
    logBytes(timeline, from, to).copy(bytes);
    return sha256(bytes);
  };
  return {
    '000000010000000000000001': whole(1, 0x100000, 0x200000),
    '000000010000000000000002': whole(1, 0x200000, 0x280000),
    '000000020000000000000002': whole(2, 0x200000, 0x300000),
    '000000020000000000000003': whole(2, 0x300000, 0x312340),
    '00000002.history': sha256(history),
  };
}
