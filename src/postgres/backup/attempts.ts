// In which order the ways of taking a base backup are tried, and which of them a reason rules out; the reasons go along with the snapshot.

import type { CaptureDetails, CaptureMode, ReadingWay } from '../types.ts';
import type { TakenOtherwise } from './otherwise.ts';

export interface Attempt {
  readonly server: 'standby' | 'primary';
  readonly capture: CaptureMode;
  readonly way: ReadingWay;
}

/** Why it is not as it was asked for. */
export type Reasons = Pick<CaptureDetails, 'fullBecause' | 'streamBecause' | 'primaryBecause'>;

export interface Asked {
  readonly incremental: boolean;
  readonly hasStandby: boolean;
  readonly files: boolean;
}

/** The standby before the primary; but what changed is little for either, so a full one is taken only when neither can tell it. */
export function attemptsFor({ incremental, hasStandby, files }: Asked): Attempt[] {
  const servers = hasStandby ? (['standby', 'primary'] as const) : (['primary'] as const);
  const changes = servers.map((server) => ({ server, capture: 'incremental', way: 'stream' }) as const);
  const full = servers.map((server) => ({ server, capture: 'full', way: 'stream' }) as const);
  const atHand = { server: 'primary', capture: 'full', way: 'files' } as const;
  return [...(incremental ? changes : []), ...(files ? [...full.slice(0, -1), atHand, ...full.slice(-1)] : full)];
}

export class Obstacles {
  private readonly met: { readonly attempt: Attempt; readonly reason: TakenOtherwise }[] = [];

  note(attempt: Attempt, reason: TakenOtherwise): void {
    this.met.push({ attempt, reason });
  }

  /** Whether what was met in another attempt stands in the way of this one as well. */
  ruleOut({ server, way }: Attempt): boolean {
    return this.met.some(
      ({ reason: { obstacle } }) =>
        (obstacle === 'standby' && server === 'standby') || (obstacle === 'files' && way === 'files'),
    );
  }

  reasons({ server, capture, way }: Attempt): Reasons {
    const fullBecause = capture === 'full' ? this.of('incremental') : undefined;
    const streamBecause = way === 'stream' ? this.of('files') : undefined;
    const fromStandby = this.met
      .filter(({ attempt }) => attempt.server === 'standby')
      .map(({ reason }) => reason.message);
    const primaryBecause = server === 'primary' ? (this.of('standby') ?? fromStandby.at(-1)) : undefined;
    return {
      ...(fullBecause === undefined ? {} : { fullBecause }),
      ...(streamBecause === undefined ? {} : { streamBecause }),
      ...(primaryBecause === undefined ? {} : { primaryBecause }),
    };
  }

  /** The last one: of an incremental capture that is the primary's, where both were asked. */
  private of(obstacle: TakenOtherwise['obstacle']): string | undefined {
    return this.met.findLast(({ reason }) => reason.obstacle === obstacle)?.reason.message;
  }
}
