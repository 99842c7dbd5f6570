// What a run that took a snapshot must still show: that it can be read again, and where it is; copies without it are brought up.

import type { VerifiedSnapshot } from '../../activities/contract.ts';
import type { SnapshotSummary } from '../../src/domain/component-report.ts';
import { fail } from '../../src/errors/index.ts';
import { catchUpLaggards } from './catching-up.ts';
import type { Conduct } from './operate.ts';

/** The last step of every capture. `warnings`: what it has to say beside what is seen here. Returns how the run ended, in words. */
export async function proveSnapshot(
  { progress, host, input }: Pick<Conduct<{ readonly host: string }>, 'progress' | 'host' | 'input'>,
  snapshot: SnapshotSummary,
  warnings: readonly string[],
): Promise<string> {
  const { id, component } = snapshot;
  const verified = await progress.step('verify', () =>
    host.work.verifySnapshot({ component, snapshot: id }, `read ${id} again from every copy`),
  );
  const told = [...warnings, ...(verified.putBack ?? [])];
  progress.tell({ verified, ...(told.length === 0 ? {} : { warnings: told }) });
  const behind = copiesWithout(snapshot);
  await catchUpLaggards(progress, input.host, behind);
  requireGood(snapshot, verified);
  return describe(snapshot, behind);
}

/** A snapshot that was committed and cannot be read again is no backup: the run must not end well. */
function requireGood({ id, copies }: SnapshotSummary, verified: VerifiedSnapshot): void {
  const stateOf = (copy: string) => verified.copies[copy] ?? 'not checked';
  const present = Object.keys(copies).filter((copy) => copies[copy] === 'present');
  const bad = present.filter((copy) => ['damaged', 'missing'].includes(stateOf(copy)));
  if (bad.length > 0) {
    const where = bad.map((copy) => `${stateOf(copy)} on '${copy}'`).join(', ');
    fail('OBJECT_DAMAGED', `snapshot '${id}' was committed and read again: ${where}`, { details: { ...verified } });
  }
  if (present.some((copy) => stateOf(copy) === 'good')) return;
  fail('STORE_UNAVAILABLE', `snapshot '${id}' was committed, but no copy could be read again`, {
    details: { ...verified },
  });
}

function copiesWithout(snapshot: SnapshotSummary): string[] {
  return Object.keys(snapshot.copies).filter((copy) => snapshot.copies[copy] !== 'present');
}

function describe(snapshot: SnapshotSummary, behind: readonly string[]): string {
  const holders = Object.keys(snapshot.copies).filter((copy) => !behind.includes(copy));
  const damage = snapshot.state === 'damaged' ? damageOf(snapshot) : '';
  const rest = behind.length === 0 ? '' : `; ${behind.join(', ')} behind, catching up`;
  const { parent, fullBecause, way, streamBecause, server, primaryBecause } = snapshot;
  const capture = fullBecause !== undefined ? ', in full,' : parent === undefined ? '' : `, laid over ${parent},`;
  const read = way === 'files' ? ', read from its files' : server === undefined ? '' : `, read from the ${server}`;
  const whys = [
    fullBecause === undefined ? '' : `; in full because ${fullBecause}`,
    primaryBecause === undefined ? '' : `; from the primary because ${primaryBecause}`,
    streamBecause === undefined ? '' : `; by the stream because ${streamBecause}`,
  ];
  return `snapshot ${snapshot.id}${capture} on ${holders.join(', ')}${read}${damage}${rest}${whys.join('')}`;
}

function damageOf({ kind, files }: SnapshotSummary): string {
  if (kind === 'physical') return ', with damaged pages';
  const lacking = files === undefined ? 0 : files.unseen.count;
  return lacking === 0 ? ', not whole' : `, without ${lacking} that could not be read`;
}
