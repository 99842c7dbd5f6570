// The way back of a live restore: what was kept is put back, or, where nothing was ever sent, the server is only made a primary again.

import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import { RedisConnection } from '../connection/index.ts';
import type { RdbFacts } from '../rdb/index.ts';
import { compareWithFacts } from '../throwaway/compare.ts';
import { requireSame } from '../throwaway/prove.ts';
import { findTools } from '../tools.ts';
import { besideWhatIsKept, forget, type LiveJournal, type LivePlace, replacing, servedBefore } from './live-place.ts';
import { keepData, replaceData, requireLiveFit } from './live-server.ts';
import { endOurReplication } from './our-replica.ts';
import { paused } from './write-pause.ts';

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
  await paused(source, limits?.pauseMs, async (connection, pause) => {
    await journal.check();
    const nobodyWrote = await endOurReplication(connection, servedBefore(journal));
    const identity = await requireLiveFit(connection);
    const tools = await findTools(identity, programs === undefined ? {} : { programs });
    // Each time anew, beside what is kept: clients may have written since the last attempt, too.
    if (!nobodyWrote) {
      await keepData(source, { directory: await besideWhatIsKept(place), tools, signal });
      await syncDirectory(directory);
    }
    await journal.check();
    await replaceData(connection, replacing(place, journal, 'kept', pause));
    requireSame(await compareWithFacts(connection, facts, { isFresh: false }));
  });
}

/** For people. */
export const keptFile = ({ directory }: LivePlace) => path.join(directory, 'kept', 'dump.rdb');
