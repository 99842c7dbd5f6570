// Whether the copies have all log of a timeline from a position on: a backup that begins there can be recovered from.

import type { ComponentId } from '../domain/component.ts';
import { coverage } from '../domain/log-coverage.ts';
import { compareLsn, type Lsn } from '../domain/lsn.ts';
import type { Vault } from '../vault/index.ts';

export interface LogPlace {
  readonly systemId: string;
  readonly timeline: number;
  readonly from: Lsn;
}

/** On as many copies as a commit needs, each without a hole from there to its newest end. */
export async function hasLogSince(
  vault: Vault,
  component: ComponentId,
  { systemId, timeline, from }: LogPlace,
): Promise<boolean> {
  const answers = await Promise.allSettled(
    vault.copies.map(async ({ name }) => {
      const { objects } = await vault.log(component, systemId, name).list({ timeline });
      const [found] = coverage(objects.filter((object) => object.timeline === timeline));
      const newest = found?.ranges.at(-1);
      return newest !== undefined && compareLsn(newest.fromLsn, from) <= 0 && compareLsn(from, newest.toLsn) <= 0;
    }),
  );
  const whole = answers.filter((answer) => answer.status === 'fulfilled' && answer.value);
  return whole.length >= vault.policy.copies;
}
