// Made the golden vault with files laid over earlier ones, once: `node_modules/.bin/node test/golden/make-laid-over.ts DIRECTORY`. Its salts are random, so it is never made again.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import type { Moment } from '../../src/domain/moment.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { createVault, type LaidPart } from '../../src/vault/index.ts';
import { ClockedStore, TestClock } from '../support/clocked-store.ts';
import { entriesOf, incremental, laidOver, somePages, takeLaid, takeWhole } from '../support/laid-over.ts';
import { type Files, seededBytes } from '../support/vault.ts';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('where to?');
const at = (name: string) => path.join(directory, name);
await mkdir(at('vault'), { recursive: true });
await writeFile(at('host.key'), `holdfast-key-1:${sha256('golden vault, published test key: laid over')}\n`, {
  mode: 0o600,
});
const clock = new TestClock('2026-11-23T06:15:00.000000Z' as Moment);
const store = new ClockedStore(new FileStore('local', at('vault')), clock);
const description = { name: 'local', site: 'home', medium: 'disk', offsite: false, location: 'golden' };
const vault = await createVault({
  ...{ estate: 'golden', copies: [{ description, store }], policy: { copies: 1, offsite: 0 }, host: 'db1' },
  keys: [{ name: 'host', kind: 'file', path: at('host.key') }],
  logger: pino({ level: 'warn' }),
});

const whole: Files = {
  'base/5/16384': seededBytes('relation', 300_000),
  'base/5/16385': seededBytes('another', 131_072),
  'base/5/16386': Buffer.from('a row of text '.repeat(20_000)),
  'base/5/16387': Buffer.alloc(0),
};
const kind = 'files';
const first = await takeWhole(vault, 1, whole, { kind });
const expected: Record<string, object> = { [first.id]: await described(first.id, whole) };
let [below, model, parent] = [whole, whole, first.id];
for (const number of [2, 3]) {
  const overlays: Record<string, readonly LaidPart[]> = {
    'base/5/16384': somePages(below['base/5/16384'] as Buffer, `${number}`, 9, number),
    // Whole chunks of both: no pieces, and no hash.
    'base/5/16385': [
      { positionBytes: 0, lengthBytes: 131_072 },
      { bytes: seededBytes(`more ${number}`, 70_000) },
    ].slice(0, number === 2 ? 2 : 1),
    'base/5/16386': [
      { positionBytes: 1000, lengthBytes: 100_001 - 20_000 * number },
      { bytes: Buffer.from(`row ${number}`) },
    ],
    'base/5/16387': [{ bytes: Buffer.from('no more empty') }],
  };
  model = laidOver(below, overlays);
  const { snapshot } = await takeLaid(vault, number, parent, overlays, { ...incremental, kind });
  expected[snapshot.id] = await described(snapshot.id, model);
  [below, parent] = [model, snapshot.id];
}
await vault.close();
for (const name of ['FORMAT.md', 'rescue.mjs']) await rm(path.join(at('vault'), name)); // no part of the vault
const objects: Record<string, string> = {};
const found = await readdir(at('vault'), { recursive: true, withFileTypes: true });
for (const entry of found.filter((each) => each.isFile())) {
  const name = path.join(entry.parentPath, entry.name);
  objects[path.relative(at('vault'), name)] = sha256(await readFile(name));
}
const sorted = Object.fromEntries(Object.entries(objects).sort(([a], [b]) => (a < b ? -1 : 1)));
await writeFile(at('expected.json'), `${JSON.stringify({ snapshots: expected, objects: sorted }, null, 1)}\n`);

/** What the files are, and what the tree says of them beside their chunks. */
async function described(id: typeof first.id, files: Files): Promise<object> {
  const entries = await entriesOf(vault, id);
  return Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => {
      const { sha256: said, pieces } = entries.get(name) ?? {};
      return [name, { sizeBytes: bytes.length, content: sha256(bytes), said, pieces }];
    }),
  );
}
