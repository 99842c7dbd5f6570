// What must be true of retention whatever happens, told without any of the vault's machinery.

import type { Moment } from '../../../src/domain/moment.ts';
import { addSeconds, judgeSnapshots, type RetentionRules } from '../../../src/domain/retention.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { DAY } from '../retention.ts';

export const GRACE_DAYS = 7;
export const rules: Readonly<Record<string, RetentionRules>> = {
  full: { ageSeconds: 6 * DAY, last: 2 },
  short: { ageSeconds: 2 * DAY },
};

export interface ModelSnapshot {
  readonly id: SnapshotId;
  readonly number: number;
  readonly class: string;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  /** Since which run it is not needed, run after run; `undefined` while it is. */
  unneededSince: Moment | undefined;
  /** A tombstone names it for sure. */
  isMarked: boolean;
  /** Gone with a copy that nobody else could stand in for. */
  lost: boolean;
}

export interface Hold {
  readonly id: string;
  readonly snapshot: string;
  readonly reason: string;
}

/** What is not known of a run. */
export interface Doubt {
  /** It may have died before it judged anything. */
  readonly mayHaveDied?: boolean;
  /** It may have come before this one. */
  readonly mayHaveMissed?: ModelSnapshot | undefined;
}

export class Model {
  readonly snapshots: ModelSnapshot[] = [];
  readonly holds = new Map<string, Hold>();

  add(snapshot: Omit<ModelSnapshot, 'unneededSince' | 'isMarked' | 'lost'>): ModelSnapshot {
    const added = { ...snapshot, unneededSince: undefined, isMarked: false, lost: false };
    this.snapshots.push(added);
    return added;
  }

  /**
   * A run judges: what it does not need may be deleted once it was so for the whole grace. In doubt the grace of what it may not need has
   * begun, and that of what it may need goes on.
   */
  judge(now: Moment, { mayHaveDied = false, mayHaveMissed }: Doubt = {}): void {
    const living = this.snapshots.filter(({ lost }) => !lost);
    const views = [living, ...(mayHaveMissed ? [living.filter((each) => each !== mayHaveMissed)] : [])];
    const needed = views.map((view) => this.#needed(view, now));
    for (const snapshot of living) {
      const said = needed.flatMap((each) => each.get(snapshot) ?? []);
      if (said.includes(false)) snapshot.unneededSince ??= now;
      else if (!mayHaveDied) snapshot.unneededSince = undefined;
      snapshot.isMarked = !said.includes(true) && (snapshot.isMarked || !mayHaveDied);
    }
  }

  /** Its tombstone was taken back. */
  release(snapshot: ModelSnapshot): void {
    snapshot.unneededSince = undefined;
    snapshot.isMarked = false;
  }

  #needed(view: readonly ModelSnapshot[], now: Moment): Map<ModelSnapshot, boolean> {
    const judged = judgeSnapshots(
      view.map((of) => ({ ...of, kind: 'files', of })),
      { rules, holds: [...this.holds.values()], timezone: 'UTC', now },
    );
    return new Map(judged.map(({ snapshot, reasons }) => [snapshot.of, reasons.length > 0] as const));
  }

  /** What must be readable now. */
  required(now: Moment): ModelSnapshot[] {
    return this.snapshots.filter(({ lost, unneededSince }) => {
      return !lost && (unneededSince === undefined || now < addSeconds(unneededSince, GRACE_DAYS * DAY));
    });
  }

  /** What must be left when everything else had its time. */
  needed(): ModelSnapshot[] {
    return this.snapshots.filter(({ lost, unneededSince }) => !lost && unneededSince === undefined);
  }
}
