// Activities that do nothing but write down that they were called, unless a test says otherwise.

import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { OperationName } from '../../../activities/contract.ts';
import { workflowIds } from '../../../src/domain/ids.ts';
import { type ErrorCode, HoldfastError } from '../../../src/errors/index.ts';

type Handler = (request: never) => unknown;
type Input = { estate: string; component: `database/${string}`; copy?: string; run?: string; to?: string };

export interface Script {
  /** Names of the activities in the order in which they were begun. */
  readonly calls: string[];
  /** Requests by name, in order. */
  readonly requests: Record<string, unknown[]>;
  readonly activities: Record<string, (request: unknown) => Promise<unknown>>;
}

const canonical: Record<OperationName, (input: Input) => string> = {
  backupDatabase: (input) => workflowIds.backup(input.estate, input.component),
  backupRedis: (input) => workflowIds.backup(input.estate, input.component),
  restoreRedis: (input) => workflowIds.restoreInPlace(input.estate, input.component),
  backupFiles: (input) => workflowIds.backup(input.estate, input.component),
  backupConfiguration: (input) => workflowIds.backup(input.estate, input.component),
  mirrorFiles: (input) => workflowIds.mirror(input.estate, input.component),
  restoreFiles: (input) => workflowIds.restoreInPlace(input.estate, input.component),
  dumpDatabase: (input) => workflowIds.dump(input.estate, input.component),
  loadDump: (input) => workflowIds.load(input.estate, input.component),
  shipLog: (input) => workflowIds.ship(input.estate, input.component),
  restoreDatabase: (input) => workflowIds.restoreInPlace(input.estate, input.component),
  restorePart: (input) => workflowIds.restorePart(input.estate, input.component),
  rollbackRestore: (input) => workflowIds.rollback(input.estate, input.run ?? ''),
  confirmRestore: (input) => workflowIds.confirm(input.estate, input.run ?? ''),
  catchUpCopy: (input) => workflowIds.catchUp(input.estate, input.copy ?? ''),
  applyRetention: (input) => workflowIds.retention(input.estate),
  verifySnapshots: (input) => workflowIds.verify(input.estate),
};

export const snapshot = {
  id: '20261123T000000Z-00000000',
  component: 'database/main',
  kind: 'physical',
  state: 'clean',
  copies: { local: 'present', eu: 'present' },
};

export const point = {
  lsn: '0/4000000',
  timeline: 1,
  at: '2026-11-23T06:14:07.000000Z',
  way: 'segment switch',
  copies: { local: 'reached', eu: 'behind' },
};

export const facts = { recoveredTo: '2026-11-23T05:59:59.000000Z', recoveredLsn: '0/3000148', dataDirectory: '/data' };

export const partPlan = {
  ...{
    host: 'db1',
    database: 'bank',
    what: 'table ledger.entries',
    way: 'as',
    into: 'ledger.entries_then',
    digest: 'part-1',
  },
  recovery: {
    ...{ component: 'database/main', digest: 'digest-1', workDirectory: '/clone.holdfast/runs/1' },
    target: { moment: '2026-11-23T05:59:59.000000Z', endLsn: '0/3000148' },
  },
  production: { systemId: '7', timeline: 1, major: 18 },
};

export const filesPlan = {
  ...{ host: 'db1', mode: 'in place', requested: 'latest', roots: ['/srv/uploads'], digest: 'files-1', warnings: [] },
  entries: { files: 3, others: 1, bytes: 300 },
  snapshot: { id: snapshot.id, copy: 'local', from: '2026-11-23T05:00:00.000000Z', to: '2026-11-23T05:01:00.000000Z' },
};

export const emptySweep = {
  ...{ tombstones: [], snapshots: [], deleted: {}, kept: {} },
  ...{ released: [], refused: [], finished: [] },
};

const requests: Partial<Record<OperationName, (input: Input) => string>> = {
  restoreDatabase: ({ to }) => `to ${to}`,
  restoreFiles: ({ to }) => `files to ${to}`,
  restorePart: ({ to }) => `part to ${to}`,
  dumpDatabase: () => 'logical',
  loadDump: () => 'load',
};

const defaults: Record<string, Handler> = {
  resolveOperation: ({ operation, input }: { operation: OperationName; input: Input }) => ({
    workflowId: canonical[operation](input),
    request: requests[operation]?.(input) ?? 'physical',
    input,
  }),
  identifyDatabase: () => ({ systemId: '7', versionNum: 170011, timeline: 1, role: 'primary', flushLsn: '0/3000000' }),
  captureBaseBackup: () => snapshot,
  captureLogical: () => ({ snapshot: { ...snapshot, kind: 'logical' } }),
  makePoint: () => point,
  verifySnapshot: () => ({ level: 'attested', copies: { local: 'good', eu: 'good' } }),
  catchUpCopy: () => ({ objects: 3, bytes: 300, remaining: 0 }),
  verifyIntegrity: () => [],
  lockHeld: () => [],
  planRetention: () => ({ digest: 'digest-1' }),
  sweepRetention: () => ({ ...emptySweep, deleted: { local: { objects: 3, bytes: 300 } } }),
  markRetention: () => ({ refused: [] }),
  planLoad: ({ run }: { run: string }) => ({ run, digest: 'digest-1', what: 'database bank', into: 'bank', roles: [] }),
  loadDump: () => ({ what: 'database bank', into: 'bank', moment: '2026-11-23T05:59:59.000000Z', rows: 3, tables: 1 }),
  planRestore: ({ run, input }: { run: string; input: Input }) => ({
    run,
    component: input.component,
    host: 'db1',
    digest: 'digest-1',
    target: { requested: String(input.to) },
  }),
  captureFiles: () => ({ snapshot: { ...snapshot, component: 'files/uploads', kind: 'files' } }),
  planFiles: ({ run, input }: { run: string; input: Input }) => ({ ...filesPlan, run, component: input.component }),
  restoreFiles: () => ({ files: 3, others: 1, bytes: 300, lacking: { count: 0, first: [] } }),
  compareFiles: () => ({ entries: 4, differing: { count: 0, first: [] } }),
  planPart: ({ run, input }: { run: string; input: Input }) => ({ ...partPlan, run, component: input.component }),
  extractPart: () => ({
    type: 'table',
    owner: 'clerk',
    table: { rows: 3, sum: '1/2', columns: ['id'], tables: 1 },
    warnings: [],
  }),
  placePart: () => ({ rows: 3, sum: '1/2', tables: 1 }),
  fetchBaseBackup: () => ({ fetchMs: 1 }),
  replayLog: () => ({ replayMs: 2 }),
  promoteRecovered: () => ({ promoteMs: 3 }),
  checkRecovered: () => ({ checksMs: 4, checks: [{ name: 'database main', ok: true, value: '3 tables read' }] }),
  swapIn: () => ({ swapMs: 5 }),
  resumeProduction: () => facts,
  finishBeside: () => facts,
  rollbackRestore: () => ({ dataDirectory: '/data', message: 'the old data is back' }),
  confirmRestore: () => ({ dataDirectory: '/data', message: 'the old data was removed' }),
  stopRecovered: () => ({ run: '', dataDirectory: '/data', stopped: true }),
};

const names = [
  ...['planLoad', 'fetchDump', 'makeRoles', 'loadDump', 'undoLoad', 'undoRoles', 'removeFetched'],
  ...[
    'resolveOperation',
    'putRunRecord',
    'awaitRun',
    'identifyDatabase',
    'ensureLog',
    'captureBaseBackup',
    'captureLogical',
    'makePoint',
    'verifySnapshot',
  ],
  ...['catchUpCopy', 'superviseLog', 'planRestore', 'recheckPlan', 'prepareRestore', 'fetchBaseBackup', 'replayLog'],
  ...['verifyIntegrity', 'lockHeld', 'planRetention', 'sweepRetention', 'markRetention'],
  ...['proveRecovery', 'promoteRecovered', 'checkRecovered', 'finishBeside', 'swapIn', 'resumeProduction'],
  ...['planPart', 'recheckPart', 'preparePart', 'extractPart', 'loadPart', 'placePart', 'undoPart'],
  ...['captureFiles', 'planFiles', 'recheckFiles', 'restoreFiles', 'compareFiles', 'undoFiles'],
  ...['findFiles', 'mirrorFiles'],
  ...['abandonRestore', 'stopRecovered', 'undoSwap', 'rollbackRestore', 'confirmRestore'],
];

/** `overrides` replace single activities; they may be async, throw, and use the activity context. */
export function script(overrides: Record<string, Handler> = {}): Script {
  const calls: string[] = [];
  const requests: Record<string, unknown[]> = {};
  const activity = (name: string) => async (request: unknown) => {
    calls.push(name);
    requests[name] = [...(requests[name] ?? []), request];
    const handler = overrides[name] ?? defaults[name];
    return await handler?.(request as never);
  };
  return { calls, requests, activities: Object.fromEntries(names.map((name) => [name, activity(name)])) };
}

/** What an activity throws for an error of the catalogue. */
export function failure(code: ErrorCode, message: string): ApplicationFailure {
  const error = new HoldfastError(code, message);
  return ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [error.toJSON()] });
}

/** Heartbeats until it is cancelled, then takes its time to end, as real work does. */
export async function untilCancelled(on: { begun?: () => void; ended?: () => void }): Promise<never> {
  const context = Context.current();
  on.begun?.();
  const beat = setInterval(() => context.heartbeat(), 200);
  try {
    return await context.cancelled;
  } finally {
    await sleep(500);
    clearInterval(beat);
    on.ended?.();
  }
}
