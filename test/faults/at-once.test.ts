// Several processes at one vault: writers of the same and of other components, retention and catch-up at the same time; all end, and everything committed restores from each copy.

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { momentFromDate } from '../../src/domain/moment.ts';
import { parseManifestKey } from '../../src/vault/layout.ts';
import { idAt } from '../support/retention.ts';
import { COMPONENT, readFiles, type TestVault, takeSnapshot, testVault } from '../support/vault.ts';
import { RACING_COPIES, racingFiles } from '../support/vault-program.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
const EACH = isFull ? 40 : 5;
const HOUR_MS = 3_600_000;
const program = fileURLToPath(new URL('../support/vault-program.ts', import.meta.url));
const running = new Set<ChildProcessWithoutNullStreams>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Lets all begin together, and waits until all have ended well; gives what each printed after that. */
async function race(directory: string, ...doings: readonly (readonly string[])[]): Promise<string[]> {
  const children = doings.map((args) => {
    const child = spawn(process.execPath, [program, directory, ...args]);
    running.add(child);
    const output = { out: '', error: '' };
    child.stdout.on('data', (bytes: Buffer) => {
      output.out += bytes.toString();
    });
    child.stderr.on('data', (bytes: Buffer) => {
      output.error += bytes.toString();
    });
    return { child, output, name: args.join(' ') };
  });
  // One that ends too early is heard, too, and takes no word.
  const ends = children.map(({ child }) => once(child, 'close'));
  await Promise.all(children.map(({ child }, index) => Promise.race([once(child.stdout, 'data'), ends[index]])));
  for (const { child } of children) child.stdin.on('error', () => undefined).write('\n');
  for (const [index, end] of ends.entries()) {
    const [code] = await end;
    const { output, name, child } = children[index] as (typeof children)[number];
    running.delete(child);
    assert.equal(code, 0, `${name}: ${output.error}`);
  }
  return children.map(({ output }) => output.out.replace('ready\n', ''));
}

const numberOf = (id: string) => Number.parseInt(id.slice(-8), 16);

/** Every snapshot that is listed, from each copy by itself. */
async function requireAllWhole(test: TestVault, expected: number): Promise<void> {
  for (const copy of test.options.copies) {
    const vault = await test.reopen({ copies: [copy] });
    const listed = await vault.listSnapshots();
    assert.equal(listed.length, expected, copy.description.name);
    for (const { id } of listed) {
      const reader = await vault.openSnapshot(id);
      assert.deepEqual(await readFiles(reader), racingFiles(numberOf(id)));
      reader.close();
    }
  }
}

async function manifests(test: TestVault, component: string) {
  const names = await readdir(join(test.path('local'), component, 'snapshots'));
  return names.map((name) => {
    const parsed = parseManifestKey(`${component}/snapshots/${name}`);
    assert.ok(parsed, name);
    return parsed;
  });
}

async function age(directory: string, ms: number): Promise<void> {
  const then = new Date(Date.now() - ms);
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), then, then);
  }
}

describe('processes at one vault at once', () => {
  it('two writers of one component: every snapshot is whole on each copy, one that got the number of another is not lost', async (t) => {
    await using test = await testVault({ copies: RACING_COPIES });
    const writer = (first: number) => ['takes', COMPONENT, String(first), String(EACH)];
    await race(test.directory, writer(1), writer(101));
    await requireAllWhole(test, 2 * EACH);
    const made = await manifests(test, COMPONENT);
    const numbers = made.map(({ sequence }) => sequence);
    // A number can be given twice, once to each writer, and never more often: each sees its own.
    for (const number of numbers) {
      const same = made.filter(({ sequence }) => sequence === number).map(({ id }) => numberOf(id) < 100);
      assert.equal(new Set(same).size, same.length, `number ${number}`);
    }
    t.diagnostic(`${numbers.length - new Set(numbers).size} numbers were given twice`);
    const next = await takeSnapshot(await test.reopen(), racingFiles(500), 500);
    assert.equal(next.sequence, Math.max(...numbers) + 1);
  });

  it('writers of different components know nothing of each other', async () => {
    await using test = await testVault({ copies: RACING_COPIES });
    const writer = (component: string, first: number) => ['takes', component, String(first), String(EACH)];
    await race(test.directory, writer(COMPONENT, 1), writer('database/other', 101));
    await requireAllWhole(test, 2 * EACH);
    for (const component of [COMPONENT, 'database/other']) {
      const numbers = (await manifests(test, component)).map(({ sequence }) => sequence);
      assert.deepEqual(
        numbers.sort((a, b) => a - b),
        Array.from({ length: EACH }, (_, index) => index + 1),
      );
    }
  });

  it('a backup, a run of retention and a catch-up: what expired goes, what is new is whole, nothing comes back', async () => {
    await using test = await testVault({ copies: RACING_COPIES });
    const dayMs = 24 * HOUR_MS;
    const at = (days: number) => momentFromDate(new Date(Date.now() - days * dayMs));
    for (const [number, days] of [
      [1, 40],
      [2, 39],
      [3, 20],
    ] as const) {
      const changes = { id: idAt(at(days), number), from: at(days), kind: 'files' } as const;
      await takeSnapshot(test.vault, racingFiles(number), number, changes, at(days));
    }
    const now = momentFromDate(new Date());
    await takeSnapshot(test.vault, racingFiles(4), 4, { id: idAt(now, 4), from: now, kind: 'files' }, now);
    for (const copy of RACING_COPIES) await age(test.path(copy), 10 * dayMs);
    const { tombstone } = await test.vault.retention.mark({
      ...{ run: 'retention-0', by: 'test', timezone: 'UTC', graceSeconds: 3600, proofs: {}, passing: [] },
      policies: [{ component: COMPONENT, rules: { full: { ageSeconds: 86_400 } } }],
      maximum: { share: 1, snapshots: 1000 },
      now: () => momentFromDate(new Date(Date.now() - 2 * HOUR_MS)),
    });
    assert.equal(tombstone?.snapshots.length, 3);
    for (const copy of RACING_COPIES) await age(join(test.path(copy), 'tombstones'), 2 * HOUR_MS);
    // One copy is a new disk, to be filled while the others lose what expired.
    await rm(join(test.path('us'), 'database'), { recursive: true });
    const takes = ['takes', COMPONENT, '101', String(EACH)];
    const [, refusals] = await race(test.directory, takes, ['retains'], ['catches-up', 'us']);
    assert.deepEqual(new Set(refusals?.trim().split('\n')), new Set(['[]']));
    await (await test.reopen()).catchUp('us');
    await requireAllWhole(test, EACH + 1);
    for (const copy of RACING_COPIES) {
      const names = await readdir(join(test.path(copy), COMPONENT, 'snapshots'));
      assert.deepEqual(
        names.map(numberOf).filter((number) => number < 4),
        [],
      );
    }
  });
});
