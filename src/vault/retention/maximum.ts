// The most that one run may name: a mistake in a rule or a clock asks for much at once, and is stopped before it names anything.

import { HoldfastError } from '../../errors/index.ts';
import type { ManifestFacts } from './facts.ts';
import type { RetentionRequest } from './request.ts';

/**
 * Counted in snapshots, because these are what somebody would miss, and by class, because a rule has one: `unneeded` are to be named, `present`
 * are all that no tombstone names yet. Bytes say nothing: in a young vault one generation is half of them. All or nothing, because taking
 * a part of a mistake every day ends where the mistake ends. Gives `RETENTION_MAXIMUM` for the first class of which too much would go.
 */
export function beyondMaximum(
  unneeded: readonly ManifestFacts[],
  present: readonly ManifestFacts[],
  { maximum }: Pick<RetentionRequest, 'maximum'>,
): HoldfastError | undefined {
  const going = countByClass(unneeded);
  for (const [name, all] of countByClass(present)) {
    const would = going.get(name) ?? 0;
    const most = Math.max(maximum.snapshots, Math.floor(all * maximum.share));
    if (would <= most) continue;
    const what = `${would} of ${all} snapshots of class '${name}' would be marked at once`;
    return new HoldfastError('RETENTION_MAXIMUM', `${what}, 'retention.maximum' allows ${most}`, {
      details: { class: name, would, all, most },
    });
  }
  return undefined;
}

function countByClass(manifests: readonly ManifestFacts[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { header } of manifests) counts.set(header.class, (counts.get(header.class) ?? 0) + 1);
  return counts;
}
