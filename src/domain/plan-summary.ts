// A restore plan small enough for a history, a prompt and `--json`: the list of segments becomes its ends and its count.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { Forecast } from './forecast.ts';
import type { Lsn } from './lsn.ts';
import type { Moment } from './moment.ts';
import type { Target } from './target.ts';

export interface PlanSummary {
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly mode: 'in place' | 'beside';
  /** Directory the recovered data ends up in. */
  readonly dataDirectory: string;
  readonly workDirectory: string;
  /** In place: where the old data is kept until `confirm`. */
  readonly keepOldAt?: string;
  readonly start?: boolean;
  /** Of a standby: its own slot on the primary. */
  readonly standbySlot?: string;
  readonly target: {
    /** As asked, in words: `time 2026-11-23T05:59:59Z`, `lsn 0/3000148`, `latest`. */
    readonly requested: string;
    readonly moment: Moment;
    readonly timeline: number;
    readonly lastRecordLsn: Lsn;
    readonly endLsn: Lsn;
    readonly lastTransaction?: { readonly lsn: Lsn; readonly time: Moment; readonly xid: string };
    readonly firstLeftOut?: { readonly lsn: Lsn; readonly time: Moment; readonly xid: string };
  };
  readonly base: {
    readonly snapshot: string;
    readonly copy: string;
    readonly from: Moment;
    readonly to: Moment;
    readonly sizeBytes: number;
    /** Why this copy, in words. */
    readonly why?: string;
  };
  /** By the restores of this component before; absent when none was measured. */
  readonly forecast?: Forecast;
  /** What was promised for it, in seconds; absent when nothing was. */
  readonly rtoSeconds?: number;
  readonly log: {
    readonly copy: string;
    readonly bytes: number;
    readonly segments: number;
    readonly first?: string;
    readonly last?: string;
  };
  readonly space: SpaceSummary;
  /** Places outside of the data directory that are exchanged with it: what the link says, what is there, where it is kept. */
  readonly linked?: readonly { readonly link: string; readonly directory: string; readonly keptAt: string }[];
  readonly warnings: readonly string[];
  /** What must be out of the way before this can be done; absent when nothing is. */
  readonly blockers?: readonly ErrorData[];
  readonly digest: string;
}

/** Of a restore: what it needs, and what is free. */
export interface SpaceSummary {
  readonly neededBytes: number;
  readonly availableBytes: number;
  /** Other file systems than that of the data directory, where linked places are; of files, than that of the first root. */
  readonly elsewhere?: readonly {
    readonly directory: string;
    readonly neededBytes: number;
    readonly availableBytes: number;
  }[];
}

/** The parts of the engine's `RestorePlan` that the summary is made of; the engine's type fits it. */
export interface SummarizablePlan {
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly requested: Target;
  readonly resolved: Omit<PlanSummary['target'], 'requested'>;
  readonly base: PlanSummary['base'];
  readonly log: {
    readonly copy: string;
    readonly bytes: number;
    readonly segments: readonly { readonly name: string }[];
  };
  readonly place:
    | { readonly mode: 'in place'; readonly dataDirectory: string; readonly keepOldAt: string }
    | { readonly mode: 'beside'; readonly dataDirectory: string; readonly start: boolean };
  readonly workDirectory: string;
  readonly execution?: {
    readonly standbySlot?: string;
    readonly linked?: readonly { readonly link: string; readonly directory: string; readonly kept: string }[];
  };
  readonly space: PlanSummary['space'];
  readonly warnings: readonly string[];
  readonly blockers?: PlanSummary['blockers'];
  readonly digest: string;
}

export function describeTarget(requested: Target): string {
  switch (requested.type) {
    case 'time':
      return `time ${requested.moment}`;
    case 'lsn':
      return `lsn ${requested.lsn}`;
    case 'xid':
      return `transaction ${requested.xid}`;
    case 'name':
      return `restore point ${requested.name}`;
    default:
      return requested.type;
  }
}

export function summarizePlan(plan: SummarizablePlan): PlanSummary {
  const { run, component, host, workDirectory, space, warnings, blockers, digest, place, resolved, log } = plan;
  const { moment, timeline, lastRecordLsn, endLsn, lastTransaction, firstLeftOut } = resolved;
  const { snapshot, copy, from, to, sizeBytes, why } = plan.base;
  const linked = (plan.execution?.linked ?? []).map(({ link, directory, kept }) => ({ link, directory, keptAt: kept }));
  const [first, last] = [log.segments[0]?.name, log.segments.at(-1)?.name];
  return {
    run,
    component,
    host,
    mode: place.mode,
    dataDirectory: place.dataDirectory,
    workDirectory,
    ...(place.mode === 'in place' ? { keepOldAt: place.keepOldAt } : { start: place.start }),
    ...(plan.execution?.standbySlot === undefined ? {} : { standbySlot: plan.execution.standbySlot }),
    target: {
      requested: describeTarget(plan.requested),
      moment,
      timeline,
      lastRecordLsn,
      endLsn,
      ...(lastTransaction === undefined ? {} : { lastTransaction }),
      ...(firstLeftOut === undefined ? {} : { firstLeftOut }),
    },
    base: { snapshot, copy, from, to, sizeBytes, ...(why === undefined ? {} : { why }) },
    log: {
      copy: log.copy,
      bytes: log.bytes,
      segments: log.segments.length,
      ...(first === undefined ? {} : { first }),
      ...(last === undefined ? {} : { last }),
    },
    space,
    ...(linked.length === 0 ? {} : { linked }),
    warnings,
    ...(blockers === undefined ? {} : { blockers }),
    digest,
  };
}
