// What may follow `--to` where there is no log: a moment, the latest snapshot, or one by its id.

import { fail } from '../errors/index.ts';
import { type Moment, parseMoment, shortMoment, wholeSecond } from './moment.ts';

export type SnapshotTarget =
  | { readonly type: 'latest' }
  | { readonly type: 'time'; readonly moment: Moment }
  | { readonly type: 'snapshot'; readonly id: string };

const SNAPSHOT = /^snapshot:(\d{8}T\d{6}Z-[0-9a-f]{8})$/;

/** A moment without a zone is read in `zone`. Throws `MOMENT_INVALID`. */
export function parseSnapshotTarget(text: string, zone: string): SnapshotTarget {
  const trimmed = text.trim();
  if (trimmed === 'latest') return { type: 'latest' };
  const id = SNAPSHOT.exec(trimmed)?.[1];
  if (id !== undefined) return { type: 'snapshot', id };
  if (/^\d{4}-/.test(trimmed)) return { type: 'time', moment: parseMoment(trimmed, zone) };
  return fail('MOMENT_INVALID', `expected a snapshot or a moment, got '${text}'`, {
    hint: 'write a moment such as 2026-11-23T05:59:59Z, latest, or snapshot:ID as `holdfast list` shows it',
  });
}

export function describeSnapshotTarget(target: SnapshotTarget): string {
  if (target.type === 'time') return `time ${target.moment}`;
  return target.type === 'snapshot' ? `snapshot ${target.id}` : target.type;
}

/**
 * Where nothing was complete by the moment: the window of what can be restored begins with the oldest of `snapshots`, the last of them, and is shown
 * in whole seconds. Whoever types that beginning means the oldest; whoever types another moment means that moment, and the oldest may hold what was
 * written after it.
 */
export function oldestBegunAt<Each extends { readonly from: Moment }>(
  snapshots: readonly Each[],
  moment: Moment,
): Each | undefined {
  const oldest = snapshots.at(-1);
  return oldest && [oldest.from, wholeSecond(oldest.from)].includes(moment) ? oldest : undefined;
}

/** A hint, for a moment at which nothing was complete: the oldest is had by its name or beginning, and by any moment from its end. `before`: what is typed before a target. */
export function oldestHint(
  { id, from, to }: { readonly id: string; readonly from: Moment; readonly to: Moment },
  before: '' | '--to ',
): string {
  const [name, begun] = [`${before}snapshot:${id}`, `${before}${shortMoment(wholeSecond(from))}`];
  return `the oldest is complete from \`${before}${shortMoment(to)}\` on; \`${name}\` or its beginning, \`${begun}\`, gives it back with what was written until then`;
}
