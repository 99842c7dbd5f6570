// The exchange of the names in a data directory, and its undoing: renames, each of which the names alone tell whether it was done.

import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { isThere, syncDirectory } from '../../system/index.ts';

export interface ExchangePlace {
  /** The data directory. */
  readonly root: string;
  /** On the same file system: what comes in, and what was there. */
  readonly staged: string;
  readonly kept: string;
  readonly names: readonly ExchangedName[];
  /** Once the exchange is done: names that nothing had before, so that whatever has one of them now came with it or since. */
  readonly absent?: readonly string[];
}

export interface ExchangedName {
  readonly name: string;
  /** Something was staged under it; otherwise it is only taken away. */
  readonly comesIn: boolean;
}

/** Gives the names that nothing had before. May be called again after it was killed. All that was there goes first: a server that starts in between finds nothing, and never half of either. */
export async function exchange({ root, staged, kept, names }: ExchangePlace): Promise<readonly string[]> {
  await mkdir(kept, { recursive: true, mode: 0o700 });
  for (const { name, comesIn } of names) {
    const isIn = comesIn && !(await isThere(path.join(staged, name)));
    if (!isIn && (await isThere(path.join(root, name)))) await move(root, kept, name);
  }
  await syncAll(root, kept);
  for (const { name, comesIn } of names) {
    if (comesIn && (await isThere(path.join(staged, name))))
      await rename(path.join(staged, name), path.join(root, name));
  }
  await syncAll(root, staged);
  const absent: string[] = [];
  for (const { name } of names) if (!(await isThere(path.join(kept, name)))) absent.push(name);
  return absent;
}

/** The reverse, from wherever the exchange or an earlier undoing has come to. What is there by now goes where the new came from. */
export async function undoExchange({ root, staged, kept, names, absent = [] }: ExchangePlace): Promise<void> {
  for (const { name, comesIn } of names) {
    const isKept = await isThere(path.join(kept, name));
    // What has the name of something that is kept came later, also where a server was started in between.
    const isIn = isKept || absent.includes(name) || (comesIn && !(await isThere(path.join(staged, name))));
    if (isIn && (await isThere(path.join(root, name)))) await move(root, staged, name);
  }
  await syncAll(root, staged);
  for (const { name } of names) {
    const isBack = await isThere(path.join(root, name));
    if (!isBack && (await isThere(path.join(kept, name)))) await rename(path.join(kept, name), path.join(root, name));
  }
  await syncAll(root, kept);
}

/** A name that is taken there already stays: two of one name are both kept. */
async function move(from: string, to: string, name: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  let target = name;
  for (let number = 1; await isThere(path.join(to, target)); number++) target = `${name}.${number}`;
  await rename(path.join(from, name), path.join(to, target));
}

async function syncAll(...directories: readonly string[]): Promise<void> {
  for (const directory of directories) if (await isThere(directory)) await syncDirectory(directory);
}
