// What is told of the schedules: their state, and their changes.

import type { ComponentId } from './component.ts';

export interface ScheduleStatus {
  readonly id: string;
  /** `vault`: retention, which is about all components. */
  readonly component: ComponentId | 'vault';
  readonly kind: string;
  /** As written in the configuration (`daily 02:00`). */
  readonly spec: string;
  readonly timezone: string;
  readonly paused: boolean;
  readonly next?: string;
  readonly last?: { readonly at: string; readonly run?: string; readonly state?: string };
  /** Runs that should have started and did not since the schedule was made (`describe()` counts them). */
  readonly missed: number;
  /** Not in the configuration any more, or other than it says: `schedules apply` mends it. */
  readonly drift?: 'surplus' | 'different' | 'missing';
}

export interface ScheduleChange {
  readonly id: string;
  readonly change: 'created' | 'updated' | 'removed' | 'unchanged';
  readonly spec: string;
}
