// Trees that change and are made what they were: a vault, snapshots of roots, and restores of them in place.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ComparedInPlace,
  captureFiles,
  compareInPlace,
  type ExecuteOptions,
  type InPlacePlan,
  type InPlaceResult,
  type PlaceGuard,
  type PlanOptions,
  planInPlace,
  restoreInPlace,
  type ScanRules,
} from '../../src/files/index.ts';
import { setAttribute } from '../../src/system/index.ts';
import type { SnapshotId, SnapshotReader } from '../../src/vault/index.ts';
import { churn, copyTree, dice } from './file-trees.ts';
import { memoryDirectory, snapshotId, type TestVault, testVault } from './vault.ts';

export const everything: ScanRules = { exclude: [], oneFileSystem: true, cacheTags: true };

type Changes = Partial<ExecuteOptions>;

/** Files of these names, each with words of its own. */
export async function writeNames(root: string, names: readonly string[], say: string): Promise<void> {
  for (const name of names) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), `${say} ${name}`);
  }
}

export class InPlaceTrees {
  readonly base: string;
  readonly test: TestVault;
  readonly signal = AbortSignal.timeout(3_000_000);
  #number = 1;

  private constructor(base: string, test: TestVault) {
    this.base = base;
    this.test = test;
  }

  static async make(): Promise<InPlaceTrees> {
    return new InPlaceTrees(await mkdtemp(join(treesDirectory(), 'holdfast-in-place-')), await testVault());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await rm(this.base, { recursive: true, force: true });
    } finally {
      await this.test[Symbol.asyncDispose]();
    }
  }

  /** Path of an empty directory. */
  async root(name: string): Promise<string> {
    const root = join(this.base, name);
    await mkdir(root);
    return root;
  }

  async capture(root: string, rules = everything): Promise<SnapshotId> {
    const id = snapshotId(this.#number++);
    await captureFiles({
      vault: this.test.vault,
      source: { roots: [root], rules },
      request: { component: 'files/uploads', class: 'files', host: 'here', snapshotId: id },
      signal: this.signal,
    });
    return id;
  }

  async plan(id: SnapshotId, root: string, changes: Partial<PlanOptions> = {}): Promise<InPlacePlan> {
    return await this.#from(id, (reader) => planInPlace({ ...this.#options(reader, root), ...changes }));
  }

  /** Where nobody can compare it afterwards. */
  async restoreOnly(id: SnapshotId, root: string, run: string, changes: Changes = {}): Promise<InPlaceResult> {
    return await this.#from(id, (reader) => restoreInPlace({ ...this.#options(reader, root), run, ...changes }));
  }

  /** And compared afterwards: whatever others did meanwhile, and whatever is left alone, nothing of it is taken for the run's own mistake. */
  async restore(id: SnapshotId, root: string, run: string, changes: Changes = {}): Promise<InPlaceResult> {
    const result = await this.restoreOnly(id, root, run, changes);
    const { wrong, entries } = await this.compare(id, root, run, changes);
    assert.deepEqual(wrong, { count: 0, first: [] });
    assert.ok(entries > 0, 'nothing was compared');
    return result;
  }

  async compare(id: SnapshotId, root: string, run: string, changes: Changes = {}): Promise<ComparedInPlace> {
    return await this.#from(id, (reader) => compareInPlace({ ...this.#options(reader, root), run, ...changes }));
  }

  #options(reader: SnapshotReader, root: string) {
    return { reader, root, rules: everything, signal: this.signal };
  }

  async #from<T>(id: SnapshotId, work: (reader: SnapshotReader) => Promise<T>): Promise<T> {
    const reader = await this.test.vault.openSnapshot(id);
    try {
      return await work(reader);
    } finally {
      reader.close();
    }
  }

  /** A snapshot of one tree, and another tree in its place; with copies of both. */
  async changed(name: string, seed: number) {
    const roll = dice(seed);
    const root = await this.root(name);
    await churn(root, roll, 60);
    await makeOneOfEach(join(root, 'each'));
    const id = await this.capture(root);
    const then = await copyTree(root, `${root}.then`);
    await churn(root, roll, 40);
    await changeOneOfEach(join(root, 'each'));
    return { root, id, then, now: await copyTree(root, `${root}.now`) };
  }
}

/** Beside what chance does: something for every kind of change. */
async function makeOneOfEach(directory: string): Promise<void> {
  for (const name of ['deep/gone', 'to-file', 'created/deep']) await mkdir(join(directory, name), { recursive: true });
  for (const name of ['replaced', 'settled', 'created/deep/file', 'created/file', 'to-file/in', 'to-directory']) {
    await writeFile(join(directory, name), `then ${name}`);
  }
  await link(join(directory, 'replaced'), join(directory, 'replaced-too'));
}

async function changeOneOfEach(directory: string): Promise<void> {
  for (const name of ['created', 'to-file', 'to-directory', 'replaced-too', 'deep']) {
    await rm(join(directory, name), { recursive: true });
  }
  for (const name of ['to-directory', 'removed/deep/empty']) await mkdir(join(directory, name), { recursive: true });
  for (const name of ['replaced', 'removed/file', 'to-file', 'to-directory/in']) {
    await writeFile(join(directory, name), `now ${name}`);
  }
  await chmod(join(directory, 'settled'), 0o604);
}

/** Memory, where its file system has all that trees have (attributes of users since Linux 6.6). */
function treesDirectory(): string {
  const memory = memoryDirectory();
  const probe = mkdtempSync(join(memory, 'holdfast-probe-'));
  try {
    setAttribute(probe, 'user.probe', Buffer.from('x'));
    return memory;
  } catch {
    return tmpdir();
  } finally {
    rmdirSync(probe);
  }
}

/** Names in a tree, less our own directory. */
export async function namesIn(root: string): Promise<string[]> {
  const all = await readdir(root, { recursive: true });
  return all.filter((name) => name !== '.holdfast' && !name.startsWith('.holdfast/')).sort();
}

/** Does something once, right before the exchange of a run begins. */
export function onceStaged(root: string, run: string, act: () => void | Promise<void>): PlaceGuard {
  let isOver = false;
  return {
    checkEveryMs: 0,
    check: async () => {
      if (isOver || !existsSync(join(root, '.holdfast', run, 'exchange.jsonl'))) return;
      isOver = true;
      await act();
    },
  };
}

/** Throws when it is asked for the n-th time: the run is cut off there. */
export function cutAt(at: number): PlaceGuard & { readonly asked: number } {
  let asked = 0;
  return {
    checkEveryMs: 0,
    check: async () => {
      if (++asked === at) throw new Error('cut off');
    },
    get asked() {
      return asked;
    },
  };
}
