// Names that more than one part must agree on: workflow ids, task queues, search attributes, slots. All carry the estate's name.

import type { ComponentId } from './component.ts';
import type { BackupKind, RedisKind } from './operations.ts';

/** A run of a workflow as people name it (`restore-3f9a1c2b`), kept in the vault after Temporal has forgotten it. */
export type RunId = string & { readonly __brand: 'RunId' };

export const workflowIds = {
  /** One of each kind: none waits for another. */
  backup: (estate: string, component: ComponentId, kind: BackupKind | RedisKind = 'physical') =>
    `${estate}/${kind === 'physical' || kind === 'rdb' ? 'backup' : kind}/${component}`,
  /** Beside the physical backup of the same component: neither waits for the other. */
  dump: (estate: string, component: ComponentId) => `${estate}/dump/${component}`,
  load: (estate: string, component: ComponentId) => `${estate}/load/${component}`,
  ship: (estate: string, component: ComponentId) => `${estate}/ship/${component}`,
  restoreInPlace: (estate: string, component: ComponentId) => `${estate}/restore/${component}`,
  /** `place`: first 16 hexadecimal digits of the SHA-256 of host and directory, so that two recoveries never share a directory. */
  restoreBeside: (estate: string, place: string) => `${estate}/restore/beside/${place}`,
  /** One at a time of a component: they share the place of the throwaway server. */
  restorePart: (estate: string, component: ComponentId) => `${estate}/restore/part/${component}`,
  rollback: (estate: string, run: string) => `${estate}/rollback/${run}`,
  confirm: (estate: string, run: string) => `${estate}/confirm/${run}`,
  catchUp: (estate: string, copy: string) => `${estate}/catch-up/${copy}`,
  mirror: (estate: string, component: ComponentId) => `${estate}/mirror/${component}`,
  retention: (estate: string) => `${estate}/retention`,
  /** Of one component, or of all. */
  verify: (estate: string, component?: ComponentId) =>
    `${estate}/verify${component === undefined ? '' : `/${component}`}`,
} as const;

const componentIn = /^[^/]+\/[^/]+(?:\/part)?\/((?:database|redis|files|configuration)\/[^/]+)(?:\/|$)/;

/** The component that the id of a workflow names, also of one that a schedule has started; `undefined` where it names none. */
export function componentInId(workflowId: string): ComponentId | undefined {
  return componentIn.exec(workflowId)?.[1] as ComponentId | undefined;
}

/** Queues of one host, so that no kind of work starves another. */
const hostQueues = {
  /** Supervisions of the log, and quick questions. */
  ship: (estate: string, host: string) => `${estate}/${host}/ship`,
  /** Bulk work. */
  work: (estate: string, host: string) => `${estate}/${host}/work`,
  /** What takes as long as a line to another host does: mirrors, and trees that are pulled. */
  sync: (estate: string, host: string) => `${estate}/${host}/sync`,
  /** Questions that read whole trees. */
  survey: (estate: string, host: string) => `${estate}/${host}/survey`,
  /** Recoveries, and what undoes or ends them. */
  recover: (estate: string, host: string) => `${estate}/${host}/recover`,
} as const;

export const taskQueues = {
  /** Decisions. */
  control: (estate: string) => `${estate}/control`,
  ...hostQueues,
} as const;

/** All that a worker of a host listens on, besides `control`. */
export function queuesOfHost(estate: string, host: string): readonly string[] {
  return Object.values(hostQueues).map((queueOf) => queueOf(estate, host));
}

export const scheduleIds = {
  backup: (estate: string, component: ComponentId, kind: string) => `${estate}/backup/${component}/${kind}`,
  mirror: (estate: string, component: ComponentId) => `${estate}/mirror/${component}/schedule`,
  retention: (estate: string) => `${estate}/retention/daily`,
  verify: (estate: string) => `${estate}/verify/daily`,
} as const;

/** Physical replication slot of a component (lower case, digits and underscore: PostgreSQL manual, "Replication Slots"). */
export function slotName(estate: string, name: string): string {
  return `holdfast_${estate}_${name}`.replaceAll('-', '_').slice(0, 63);
}

/** Slot of a standby that a run has built; not named like ours that receive, because a restore in place must tell that it breaks. */
export function standbySlotName(estate: string, name: string, run: string): string {
  const own = `_${run.replace(/^restore-/, '')}`;
  return `${`standby_${estate}_${name}`.slice(0, 63 - own.length)}${own}`.replaceAll('-', '_');
}

/** The run that made the slot, short; `undefined`: it is that of no standby of ours. */
export function runOfStandbySlot(slot: string): string | undefined {
  const own = /^standby_[a-z0-9_]+_([0-9a-f]{8})$/.exec(slot)?.[1];
  return own && `restore-${own}`;
}

/** Search attributes by name and type; registered by `setup` and by the sandbox. Never secrets. */
export const searchAttributes = {
  HoldfastEstate: 'Keyword',
  HoldfastComponent: 'Keyword',
  HoldfastOperation: 'Keyword',
  HoldfastState: 'Keyword',
  HoldfastRun: 'Keyword',
} as const;

/** First part of a run's id, by workflow type. */
const runPrefixes = {
  backupDatabase: 'backup',
  dumpDatabase: 'dump',
  backupRedis: 'backup',
  backupFiles: 'backup',
  backupConfiguration: 'backup',
  mirrorFiles: 'mirror',
  loadDump: 'load',
  shipLog: 'ship',
  restoreDatabase: 'restore',
  restoreRedis: 'restore',
  restoreFiles: 'restore',
  restorePart: 'part',
  rollbackRestore: 'rollback',
  confirmRestore: 'confirm',
  catchUpCopy: 'catch-up',
  applyRetention: 'retention',
  verifySnapshots: 'verify',
} as const;

const runName = new RegExp(`^(?:${Object.values(runPrefixes).join('|')})-[0-9a-f]{8}$`);

/** Whether this is how the run of a workflow of ours is called. */
export function isRunName(text: string): boolean {
  return runName.test(text);
}

/** Whether a workflow of this type answers with a `RunStatus`. */
export function isOperation(type: string): type is keyof typeof runPrefixes {
  return Object.hasOwn(runPrefixes, type);
}

/**
 * The id of a run as people name it, from its workflow type and Temporal's first run id of the chain. The last digits are taken:
 * the first ones of a version 7 UUID are a clock, which two runs of one minute share.
 */
export function runId(operation: keyof typeof runPrefixes, firstExecutionRunId: string): RunId {
  return `${runPrefixes[operation]}-${firstExecutionRunId.slice(-8)}` as RunId;
}
