// The way back of a live restore: what was kept is put back, or, where nothing was ever sent, the server is only made a primary again.

import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import { RedisConnection } from '../connection/index.ts';
import { readInfo } from '../identity.ts';
import type { RdbFacts } from '../rdb/index.ts';
import { compareWithFacts } from '../throwaway/compare.ts';
import { requireSame } from '../throwaway/prove.ts';
import { findTools } from '../tools.ts';
import { besideWhatIsKept, forget, type LiveJournal, type LivePlace, replacing, servedBefore } from './live-place.ts';
import { keepData, replaceData, requireLiveFit } from './live-server.ts';
import { endOurReplication, primaryIn } from './our-replica.ts';
import { untilLoaded } from './until-answers.ts';
import { paused, type WritePause } from './write-pause.ts';

/** Under the lock, in the step `rollback`. May be called again after it was killed. */
export async function goBackLive(place: LivePlace, journal: LiveJournal): Promise<void> {
  if (journal.hasBegun('send')) return await putBack(place, journal);
  if (journal.hasBegun('serve')) {
    const connection = await RedisConnection.open(place.source);
    try {
      await journal.check();
      await endOurReplication(connection, servedBefore(journal));
    } finally {
      connection.close();
    }
  }
  await forget(place);
}

async function putBack(place: LivePlace, journal: LiveJournal): Promise<void> {
  const { directory, source, signal, programs, limits } = place;
  const facts = journal.dataOf('keep')?.facts as RdbFacts | undefined;
  if (facts === undefined) fail('JOURNAL_STATE', 'the journal does not say what was kept');
  await untilLoaded(source, limits?.awayMs);
  await paused(source, limits?.pauseMs, async (connection, pause) => {
    await journal.check();
    const nobodyWrote = await endOurReplication(connection, servedBefore(journal));
    const identity = await requireLiveFit(connection);
    const tools = await findTools(identity, programs === undefined ? {} : { programs });
    // Clients may have written since the last attempt, too: what they did is set aside, beside what is kept.
    if (!nobodyWrote && !(await isAside(connection, journal))) {
      await keepData(source, { directory: await besideWhatIsKept(place), tools, signal });
      await syncDirectory(directory);
    }
    await journal.check();
    try {
      await replaceData(connection, replacing(place, journal, 'kept', pause));
    } catch (error) {
      await noteAside(connection, journal, pause);
      throw error;
    }
    requireSame(await compareWithFacts(connection, facts, { isFresh: false }));
  });
}

/** A server that does not take what is kept is asked again and again: a copy of the same each time would fill the disk. */
async function isAside(connection: RedisConnection, journal: LiveJournal): Promise<boolean> {
  const noted = journal.dataOf('aside')?.history;
  return noted !== undefined && noted === (await historyOf(connection));
}

/** It matters only to the next attempt, and less than why this one failed. */
async function noteAside(connection: RedisConnection, journal: LiveJournal, pause: WritePause): Promise<void> {
  try {
    const history = await historyOf(connection);
    pause.requireHeld();
    if (history !== undefined) await journal.note('aside', { history });
  } catch {
    // The next one sets aside again.
  }
}

/** Another one with every write, start and change of role; undefined while it is a replica. */
async function historyOf(connection: RedisConnection): Promise<string | undefined> {
  const info = await readInfo(connection);
  const parts = ['run_id', 'master_replid', 'master_repl_offset'].map((name) => info.get(name));
  return primaryIn(info) !== undefined || parts.includes(undefined) ? undefined : parts.join(' ');
}

/** For people. */
export const keptFile = ({ directory }: LivePlace) => path.join(directory, 'kept', 'dump.rdb');
