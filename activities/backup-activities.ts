// Activities of a backup and of the log: thin over the engine, the receivers and the vault.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveSecret, stateDirectoryOf } from '../config/index.ts';
import type { ComponentId } from '../src/domain/component.ts';
import type { LogOutage } from '../src/domain/component-report.ts';
import type { Lsn } from '../src/domain/lsn.ts';
import { bytesText } from '../src/domain/size.ts';
import { judgeSlot } from '../src/domain/slot-pressure.ts';
import { fail } from '../src/errors/index.ts';
import { requirePoint } from '../src/host/log-point.ts';
import { hasLogSince } from '../src/host/log-since.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import { type TakeBaseBackupOptions, takeBaseBackup } from '../src/postgres/backup/index.ts';
import { makePoint } from '../src/postgres/close-segment.ts';
import { identify } from '../src/postgres/identity.ts';
import type { ReceiverState } from '../src/postgres/types.ts';
import type { SnapshotId, Vault } from '../src/vault/index.ts';
import type { LogPositions, PostgresActivities, SupervisedLog, SuperviseRequest } from './contract.ts';
import { type Running, runActivity } from './lib/activity-runner.ts';
import { factsChoice } from './lib/facts-choice.ts';
import { databaseOf, type HostServices, sourceOf } from './lib/host-services.ts';
import { Laggards } from './lib/laggards.ts';

type Names = 'identifyDatabase' | 'ensureLog' | 'captureBaseBackup' | 'makePoint' | 'superviseLog';

const dueMs = 50 * 60_000;
const soonMs = 5 * 60_000;
const lookMs = 1_000;

export function createBackupActivities(services: HostServices): Pick<PostgresActivities, Names> {
  const { frame, receivers, host, configuration } = services;
  return {
    identifyDatabase: ({ component }) =>
      runActivity(frame, async () => {
        const { systemId, versionNum, timeline, role, flushLsn } = await identify(await sourceOf(services, component));
        return { systemId, versionNum, timeline, role, flushLsn };
      }),

    ensureLog: ({ component }) => runActivity(frame, ({ signal }) => receivers.ensure(component, signal)),

    captureBaseBackup: ({ component, snapshot, systemId, capture }) =>
      runActivity(frame, async ({ signal, report, logger }) => {
        const { source } = await sameCluster(services, component, systemId);
        const { way, bytesPerSecond } = databaseOf(services, component).reading;
        const vault = await services.vault();
        const stateDirectory = stateDirectoryOf(configuration, host);
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectory);
        const taken = await takeBaseBackup({
          source,
          vault,
          request: { snapshotId: snapshot as SnapshotId, component, host },
          facts: factsChoice(databaseOf(services, component)),
          way,
          ...(await standbyOf(services, component, vault)),
          ...(bytesPerSecond !== undefined && { rateLimitBytesPerSecond: bytesPerSecond }),
          ...(capture === 'incremental' && { incremental: { spoolDirectory: path.join(stateDirectory, 'parents') } }),
          waitForLog: (copy, timeline, from, to, wait) =>
            receivers.waitForLog(component, copy, timeline, from, to, {
              ...wait,
              onWaiting: (note) => report({ note }),
            }),
          onProgress: ({ doneBytes, totalBytes }) =>
            report({ note: `${bytesText(doneBytes)} of ${bytesText(totalBytes)} read` }),
          signal,
          logger,
        });
        return summarizeSnapshot(taken);
      }),

    makePoint: ({ component, systemId, name }) =>
      runActivity(frame, async ({ signal, report }) => {
        const { source, timeline } = await sameCluster(services, component, systemId);
        const { lsn, moment: at, way } = await makePoint(source, name);
        report({ note: `waiting for the log to ${lsn} on enough copies` });
        await receivers.drain(component, timeline, lsn, signal);
        const copies = await requirePoint(await services.vault(), component, { systemId, timeline, lsn });
        return { lsn, timeline, at, way, copies };
      }),

    superviseLog: (request) => runActivity(frame, (running) => supervise(services, request, running)),
  };
}

/** Where one is configured. */
async function standbyOf(
  services: HostServices,
  component: ComponentId,
  vault: Vault,
): Promise<Pick<TakeBaseBackupOptions, 'standby'>> {
  const { standby } = databaseOf(services, component);
  if (standby === undefined) return {};
  const hasLog = (systemId: string, timeline: number, from: Lsn) =>
    hasLogSince(vault, component, { systemId, timeline, from });
  const source = { component, url: await resolveSecret(standby.url) };
  return { standby: { source, behindBytes: standby.behindBytes, hasLog } };
}

async function sameCluster(services: HostServices, component: ComponentId, systemId: string) {
  const source = await sourceOf(services, component);
  const found = await identify(source);
  if (found.systemId !== systemId) {
    fail('DATABASE_IDENTITY', `the server is cluster ${found.systemId} now, it was ${systemId}`);
  }
  return { source, timeline: found.timeline };
}

async function supervise(
  { receivers, vault }: HostServices,
  {
    component,
    ignoreAway,
    ignoreForMs = Number.POSITIVE_INFINITY,
    soon,
    handledLoss,
    knownOutage,
    knownPressure = false,
  }: SuperviseRequest,
  { signal, report }: Running,
): Promise<SupervisedLog> {
  const compare = async () => (await vault()).copiesBehind();
  const laggards = new Laggards({ asked: ignoreAway, ignoreForMs, compare });
  for (const dueAt = Date.now() + (soon ? soonMs : dueMs); ; await sleep(lookMs, undefined, { signal })) {
    const { steady, outage } = receivers.reception(component);
    const positions = positionsOf(receivers.state(component), outage);
    report({ note: inWords(component, positions), data: { ...positions } });
    const { all: away, isNews } = await laggards.look(positions.copies);
    const { id, hole } = receivers.losses(component);
    if (id !== undefined && id !== handledLoss) {
      return { outcome: 'slot lost', positions, away, loss: id, ...(hole === undefined ? {} : { hole }) };
    }
    if (outage !== undefined && !isSame(outage, knownOutage)) return { outcome: 'not received', positions, away };
    if (steady && knownOutage !== undefined) return { outcome: 'received again', positions, away };
    const danger = positions.slot && judgeSlot(positions.slot);
    if (danger?.severity === 'late' && !knownPressure) return { outcome: 'slot fills', positions, away };
    // Only what is known to be well ends the alarm; and what comes and goes is one.
    if (knownPressure && positions.slot && !danger) return { outcome: 'slot eased', positions, away };
    if (isNews) return { outcome: 'copy away', positions, away };
    if (Date.now() > dueAt) return { outcome: 'due', positions, away };
  }
}

/** An outage of which the reason changed is told again. */
function isSame(outage: LogOutage, known: LogOutage | undefined): boolean {
  return known?.since === outage.since && known.code === outage.code;
}

function positionsOf(state: ReceiverState | undefined, outage: LogOutage | undefined): LogPositions {
  const told = outage === undefined ? {} : { outage };
  if (state === undefined) return { phase: 'starting', copies: [], ...told };
  const { phase, timeline, receivedLsn, durableLsn, durableTime } = state;
  const { pressure } = state.slot;
  return {
    phase,
    ...told,
    ...(pressure && { slot: pressure }),
    ...(timeline === undefined ? {} : { timeline }),
    ...(receivedLsn === undefined ? {} : { receivedLsn }),
    ...(durableLsn === undefined ? {} : { durableLsn }),
    ...(durableTime === undefined ? {} : { durableTime }),
    copies: state.copies.map(({ copy, durableLsn: at, error }) => ({
      copy,
      ...(at === undefined ? {} : { durableLsn: at }),
      ...(error === undefined ? {} : { error: error.code }),
    })),
  };
}

function inWords(component: ComponentId, { phase, outage, durableLsn, durableTime, copies }: LogPositions): string {
  const behind = copies.filter(({ error }) => error !== undefined).map(({ copy }) => copy);
  const durable = durableLsn === undefined ? 'nothing durable yet' : `durable to ${durableLsn}`;
  const time = durableTime === undefined ? '' : `, recoverable to ${durableTime}`;
  const state = outage === undefined ? phase : `not received since ${outage.since} (${outage.message}; ${outage.hint})`;
  return `log of ${component}: ${state}, ${durable}${time}${behind.length === 0 ? '' : `; behind: ${behind.join(', ')}`}`;
}
