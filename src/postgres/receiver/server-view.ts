// What the server says when a session begins: who it is, which timeline it writes and how it came there.

import type { Lsn } from '../../domain/lsn.ts';
import { parseTimelineHistory, type TimelineHistory } from '../../domain/timeline.ts';
import { fail } from '../../errors/index.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import { identifySystem, parseSize, showSetting } from '../identity.ts';
import { readTimelineHistory } from './wal-stream.ts';

export interface ServerView {
  readonly systemId: string;
  readonly timeline: number;
  readonly flushLsn: Lsn;
  readonly segmentSizeBytes: number;
  readonly history: TimelineHistory;
  /** Texts of the history files that lead to the timeline, by timeline. */
  readonly historyTexts: ReadonlyMap<number, string>;
}

/** Throws `DATABASE_IDENTITY` when it is another cluster than `expectedSystemId`. */
export async function viewServer(
  connection: ReplicationConnection,
  expectedSystemId: string | undefined,
): Promise<ServerView> {
  const system = await identifySystem(connection);
  if (expectedSystemId !== undefined && system.systemId !== expectedSystemId) {
    fail('DATABASE_IDENTITY', `${connection.context.server} is system ${system.systemId}, not ${expectedSystemId}`);
  }
  const segmentSizeBytes = parseSize(await showSetting(connection, 'wal_segment_size'));
  const historyTexts = new Map<number, string>();
  let history: TimelineHistory = { timeline: system.timeline, ancestors: [] };
  if (system.timeline > 1) {
    const text = await readTimelineHistory(connection, system.timeline);
    historyTexts.set(system.timeline, text);
    history = parseTimelineHistory(system.timeline, text);
    // Each timeline on the way has its own file; a server may have lost those of long ago, and its own one says the same.
    for (const { timeline } of history.ancestors) {
      if (timeline === 1) continue;
      const older = await readTimelineHistory(connection, timeline).catch(() => undefined);
      if (older !== undefined) historyTexts.set(timeline, older);
    }
  }
  return { ...system, segmentSizeBytes, history, historyTexts };
}
