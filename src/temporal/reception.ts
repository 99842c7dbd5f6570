// Whether the log of a database is being received: what is a hiccup, what is an outage that somebody must know of, and when one is over.

import type { LogOutage } from '../domain/component-report.ts';
import { HoldfastError } from '../errors/index.ts';

export interface ReceptionLimits {
  /** A server that restarts or a network that stumbles is no outage before; default two minutes. */
  readonly tellAfterMs: number;
  /** Log must come for so long before an outage is over, so that one that comes and goes is one outage; default a minute. */
  readonly steadyMs: number;
}

export const defaultReceptionLimits: ReceptionLimits = { tellAfterMs: 2 * 60_000, steadyMs: 60_000 };

/** What is seen of a receiver in one look. */
export type Seen =
  | { readonly state: 'streaming' }
  /** A restore under way keeps it back on purpose. */
  | { readonly state: 'held' }
  /** `final`: trying again with the same means cannot help. */
  | { readonly state: 'silent'; readonly final: boolean; readonly error: HoldfastError | undefined };

export class Reception {
  private readonly limits: ReceptionLimits;
  private streamingSince: number | undefined;
  private silentSince: { readonly at: number; readonly moment: string } | undefined;
  private told: LogOutage | undefined;
  private steady = false;

  constructor(limits: ReceptionLimits) {
    this.limits = limits;
  }

  /** The outage that somebody must know of, also while log comes again but not for long enough. */
  get outage(): LogOutage | undefined {
    return this.told;
  }

  /** Log has come for long enough to rely on it. */
  get isSteady(): boolean {
    return this.steady;
  }

  note(seen: Seen, now = performance.now()): void {
    this.steady = false;
    if (seen.state === 'held') {
      this.streamingSince = undefined;
      this.silentSince = undefined;
      this.told = undefined;
    } else if (seen.state === 'streaming') {
      this.streamingSince ??= now;
      this.steady = now - this.streamingSince >= this.limits.steadyMs;
      if (!this.steady) return;
      this.silentSince = undefined;
      this.told = undefined;
    } else {
      this.streamingSince = undefined;
      this.silentSince ??= { at: now, moment: new Date().toISOString() };
      if (!seen.final && this.told === undefined && now - this.silentSince.at < this.limits.tellAfterMs) return;
      if (seen.error === undefined && this.told !== undefined) return;
      const error = seen.error ?? new HoldfastError('DATABASE_UNREACHABLE', 'the server has sent no log yet');
      this.told = { ...error.toJSON(), since: this.silentSince.moment };
    }
  }
}
