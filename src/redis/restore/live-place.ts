// The place of a live restore on this host: its journal, what it is about to bring, and what it keeps.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isThere, syncDirectory } from '../../system/index.ts';
import type { RedisSource } from '../connection/index.ts';
import { RDB_FILE } from '../types.ts';
import type { RestoreJournal } from './journal.ts';
import type { ReplaceOptions, TakingLimits } from './live-server.ts';
import type { ServedAt } from './our-replica.ts';
import { underLock } from './under-lock.ts';
import type { WritePause } from './write-pause.ts';

/** `aside`: what the server had is kept, and nobody has written since. `serve`: the server is told where we answer as its primary. `send`: the first byte goes to it; before that its data is its own. */
export type LiveStep = 'prepare' | 'keep' | 'aside' | 'serve' | 'send' | 'replace' | 'verify' | 'confirm' | 'rollback';
export type LiveJournal = RestoreJournal<LiveStep>;

export interface LivePlace {
  /** Absolute; of this run alone. The journal, the snapshot and what is kept lie below it. */
  readonly directory: string;
  readonly source: RedisSource;
  readonly programs?: string;
  readonly limits?: TakingLimits;
  /** Throws when this run may not go on; asked right before every step that destroys. */
  readonly check?: () => Promise<void>;
  readonly signal: AbortSignal;
}

export async function lockedLive<Step extends string, T>(
  { directory, check, signal }: Pick<LivePlace, 'directory' | 'check' | 'signal'>,
  work: (journal: RestoreJournal<Step>) => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [lock, journal] = [path.join(directory, 'lock'), path.join(directory, 'journal.jsonl')];
  return await underLock({ lock, journal, signal, ...(check && { check }) }, work);
}

/** What the journal is told while the server takes the RDB in `part` of the place. */
export function replacing(
  place: LivePlace,
  journal: LiveJournal,
  part: 'new' | 'kept',
  pause: WritePause,
): ReplaceOptions {
  const { directory, limits, signal } = place;
  return {
    file: path.join(directory, part, RDB_FILE),
    onServing: ({ host, port }) => journal.note('serve', { host, port }),
    onSending: async () => {
      if (!journal.hasBegun('send')) await journal.note('send', { part });
    },
    pause,
    ...(limits && { limits }),
    signal,
  };
}

export function servedBefore(journal: LiveJournal): readonly ServedAt[] {
  return journal.allDataOf('serve').map(({ host, port }) => ({ host: String(host), port: Number(port) }));
}

/** A new directory for what the server has now: `replaced`, and `replaced.1`, … when that holds something. */
export async function besideWhatIsKept({ directory }: LivePlace): Promise<string> {
  const first = path.join(directory, 'replaced');
  let place = first;
  for (let number = 1; await isThere(path.join(place, RDB_FILE)); number++) place = `${first}.${number}`;
  await mkdir(place, { recursive: true, mode: 0o700 });
  return place;
}

/** What a person was to decide on is decided. What was set aside as `replaced` stays: it is nowhere else. */
export async function forget({ directory }: LivePlace): Promise<void> {
  for (const name of ['new', 'kept']) await rm(path.join(directory, name), { recursive: true, force: true });
  await syncDirectory(directory);
}
