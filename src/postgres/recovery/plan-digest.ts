// The digest of a restore plan: what a person decides about, so that the plan shown and the plan made again agree.

import { createHash } from 'node:crypto';
import type { RestorePlan } from '../types.ts';

/** SHA-256, hexadecimal; see `RestorePlan.digest` for what it binds. */
export function planDigest(plan: Omit<RestorePlan, 'digest'>): string {
  const { place, resolved, source, production } = plan;
  const decided = {
    component: plan.component,
    host: plan.host,
    requested: plan.requested,
    snapshot: plan.base.snapshot,
    timeline: resolved.timeline,
    // `latest` moves on while a person reads; what it means is decided when the run plans.
    ...(plan.requested.type === 'latest' ? {} : { lastRecordLsn: resolved.lastRecordLsn }),
    place: {
      mode: place.mode,
      dataDirectory: place.dataDirectory,
      ...(place.mode === 'beside' ? { start: place.start, ...(place.standby && { standby: true }) } : {}),
    },
    source: { systemId: source.systemId, major: source.major },
    production: production === undefined ? null : { systemId: production.systemId, timeline: production.timeline },
  };
  return createHash('sha256').update(canonical(decided)).digest('hex');
}

/** JSON with sorted keys and no blanks: the same facts give the same text. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`;
}
