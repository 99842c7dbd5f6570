// Where receiving begins: every copy is asked what it has, and the log goes on from where the policy's copies end, or from the slot.

import path from 'node:path';
import type { Logger } from 'pino';
import type { ComponentId } from '../../domain/component.ts';
import { type Lsn, lsnValue } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { type TimelineHistory, timelineOf } from '../../domain/timeline.ts';
import { fail, HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { CommitPolicy, CopyDescription, LogCopy, Vault } from '../../vault/types.ts';
import { type Holdings, maxTimeBefore, policyPosition, readHoldings } from './holdings.ts';
import { Intake } from './intake.ts';
import type { Opening } from './ledger.ts';
import { type LogPosition, type Route, routeOf } from './route.ts';
import type { ServerView } from './server-view.ts';
import type { SlotGuard } from './slot-guard.ts';
import { Spool } from './spool.ts';
import type { ReceiverOptions } from './types.ts';
import { segmentFloor } from './wal-stream.ts';

/** A store that hangs must not keep the log of the others from being received. */
const LISTING_MS = 20_000;

/** What the copies hold of a server's log. */
export interface Survey {
  readonly logs: readonly LogCopy[];
  /** Of the copies that answered. */
  readonly holdings: ReadonlyMap<string, Holdings>;
  readonly route: Route;
  /** What the policy calls durable; `undefined` when too few copies that hold log answered. */
  readonly durable: LogPosition | undefined;
  /** Every copy answered, and none holds log of this server: there is nothing that could be missing. */
  readonly isNew: boolean;
}

export interface SurveyOptions {
  readonly component: ComponentId;
  readonly vault: Pick<Vault, 'log'>;
  readonly copies: readonly CopyDescription[];
  readonly policy: CommitPolicy;
  readonly logger: Logger;
}

/** Never throws for a copy that does not answer: it is left out, and then nothing is new. */
export async function survey(
  { component, vault, copies, policy, logger }: SurveyOptions,
  server: Pick<ServerView, 'systemId' | 'history' | 'segmentSizeBytes'>,
): Promise<Survey> {
  const logs = copies.map(({ name }) => vault.log(component, server.systemId, name));
  const holdings = new Map<string, Holdings>();
  await Promise.all(
    logs.map(async (log) => {
      const found = await within(LISTING_MS, readHoldings(log)).catch((error) => {
        logger.warn({ copy: log.copy, error: toHoldfastError(error).message }, 'the log of a copy cannot be listed');
        return undefined;
      });
      if (found !== undefined) holdings.set(log.copy, found);
    }),
  );
  const stretches = [...holdings.values()].flatMap((held) => held.stretches);
  const route = routeOf(server.history, stretches, server.segmentSizeBytes);
  const cursors = new Map<string, LogPosition>();
  for (const [copy, held] of holdings) {
    const cursor = route.cursorOf(held.stretches);
    if (cursor !== undefined) cursors.set(copy, cursor);
  }
  // A copy that does not answer may be the one that has log: then it is not known to be the first.
  const isNew = route.stretches.length === 0 && holdings.size === copies.length;
  return { logs, holdings, route, durable: policyPosition(cursors, copies, policy), isNew };
}

/** Throws `SLOT_LOST` when the slot is gone, or was made again and nobody told yet, and too few copies say what they have: then nobody knows what is missing. */
export async function findBeginning(options: ReceiverOptions, server: ServerView, guard: SlotGuard): Promise<Opening> {
  const found = await survey(options, server);
  const { route, durable, logs, holdings } = found;
  const reached = durable ?? (await slotPosition(server, guard, found.isNew));
  const size = server.segmentSizeBytes;
  // Nothing of a timeline that was left exactly at a segment's start is still to come: its next one is received.
  const start = segmentFloor(reached.at, size) === reached.at ? route.settle(reached) : reached;
  const fallback = { timeline: start.timeline, at: segmentFloor(start.at, size) };
  const carried = await carriedMaxTime(logs, holdings, fallback);
  const directory = path.join(options.stateDirectory, 'spool', ...options.component.split('/'), server.systemId);
  const intake = new Intake(route, await Spool.open(directory, size), size);
  intake.begin(fallback.timeline, fallback.at, carried);
  return { intake, logs, holdings, durable, fallback };
}

/** No position is durable by the policy: what the slot keeps is where everything that counts begins. */
async function slotPosition(server: ServerView, guard: SlotGuard, isNew: boolean): Promise<LogPosition> {
  const slot = await guard.lookForStart();
  if (slot !== undefined) return positionOf(server.history, slot.restartLsn);
  if (isNew) return positionOf(server.history, await guard.makeFirst());
  return fail(
    'SLOT_LOST',
    `the replication slot '${guard.name}' is gone or was just made again, and too few copies say what they have`,
    {
      hint: 'bring the copies back; then the log goes on from what they have',
    },
  );
}

/** The latest transaction time that any copy knows in front of a position. */
async function carriedMaxTime(
  logs: readonly LogCopy[],
  holdings: ReadonlyMap<string, Holdings>,
  position: LogPosition,
): Promise<Moment | undefined> {
  let latest: Moment | undefined;
  for (const log of logs) {
    const held = holdings.get(log.copy);
    const time = held && (await maxTimeBefore(log, held, position).catch(() => undefined));
    if (time !== undefined && (latest === undefined || time > latest)) latest = time;
  }
  return latest;
}

export function positionOf(history: TimelineHistory, lsn: Lsn): LogPosition {
  return { timeline: timelineOf(history, lsn), at: lsnValue(lsn) };
}

function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new HoldfastError('STORE_UNAVAILABLE', 'a copy did not answer in time')),
      limitMs,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
