// How the keeper of an append-only directory stands, by what is on the disk: what waits for a capture, what is not kept, what was lost.

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Moment } from '../../domain/moment.ts';
import { type AppendOnlyPlace, keptDirectory, keptSets, readManifest } from './keeper.ts';
import { free, type LostSet, lostSets, setAsideDirectory, setAsideIds } from './lost-sets.ts';
import { bytesOf, ownFiles } from './own-bytes.ts';

export interface KeptReport {
  /** Of sets that wait for a capture: what the server has discarded already, and only we keep. */
  readonly waitingBytes: number;
  readonly freeBytes: number;
  /** Files of the present set without a second name. */
  readonly unkept: readonly string[];
  /** Since the last capture. */
  readonly lost: readonly LostSet[];
  /** Damaged sets, for people. */
  readonly setAside: readonly string[];
}

/** The keeper looks every second. */
const KEEPER_MS = 2_000;

/** `since`: when the last capture began. Throws `REDIS_UNFIT` where there is no append-only directory that can be read. */
export async function reportKept(place: AppendOnlyPlace, since: Moment | undefined): Promise<KeptReport> {
  let unkept = await withoutSecondName(place);
  if (unkept.length > 0) {
    await sleep(KEEPER_MS);
    unkept = await withoutSecondName(place);
  }
  const root = setAsideDirectory(place);
  const setAside = (await setAsideIds(place)).map((id) => path.join(root, id));
  const waiting = (await keptSets(place)).map(({ directory }) => directory);
  const files = await ownFiles([...waiting, ...setAside]);
  return {
    waitingBytes: bytesOf(files.filter(({ directories }) => directories.some((each) => waiting.includes(each)))),
    freeBytes: await free(place),
    unkept,
    lost: await lostSets(place, since),
    setAside,
  };
}

async function withoutSecondName(place: AppendOnlyPlace): Promise<readonly string[]> {
  const root = keptDirectory(place);
  const kept = new Set<string>();
  for (const id of await readdir(root).catch(() => [])) {
    for (const name of await readdir(path.join(root, id)).catch(() => [])) kept.add(name);
  }
  return (await readManifest(place)).map(({ name }) => name).filter((name) => !kept.has(name));
}
