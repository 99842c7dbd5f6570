// Shows that everything up to a position of the log can be recovered: it follows without a gap on a base backup, on as many copies as the policy wants.

import type { ComponentId } from '../domain/component.ts';
import { compareLsn, type Lsn } from '../domain/lsn.ts';
import type { PointResult } from '../domain/run-data.ts';
import { fail } from '../errors/index.ts';
import { windows } from '../postgres/recovery/windows.ts';
import type { Vault } from '../vault/index.ts';

export interface LogPosition {
  readonly systemId: string;
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** Asks every copy. Throws `LOG_HOLE` where too few have it all. */
export async function requirePoint(
  vault: Vault,
  component: ComponentId,
  { systemId, timeline, lsn }: LogPosition,
): Promise<PointResult['copies']> {
  const found = await windows(vault, component, { systemId });
  const reached = found
    .filter((window) => window.timeline === timeline && compareLsn(window.toLsn, lsn) >= 0)
    .map(({ copy }) => copy);
  const { policy, copies } = vault;
  const offsite = copies.filter((copy) => copy.offsite && reached.includes(copy.name)).length;
  if (reached.length < policy.copies || offsite < policy.offsite) {
    const where = reached.length === 0 ? 'no copy' : `${reached.join(', ')} alone`;
    fail('LOG_HOLE', `the log follows on a base backup up to ${lsn} on ${where}: the policy asks for more`);
  }
  return Object.fromEntries(copies.map(({ name }) => [name, reached.includes(name) ? 'reached' : 'behind']));
}
