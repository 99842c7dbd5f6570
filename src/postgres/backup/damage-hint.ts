// The way out for a relation with damaged pages: what can be made anew is, what cannot comes from a snapshot.

import type { DamagedRelation } from '../../domain/component-report.ts';

export interface DamageCircumstances {
  /** Of the catalogue, or shared by all databases. */
  readonly isSystem: boolean;
  /** Where a table can be had from, in words. */
  readonly clean: string;
}

export function damageHint(
  { kind, name, of, part }: Omit<DamagedRelation, 'hint' | 'path' | 'blocks'>,
  { isSystem, clean }: DamageCircumstances,
): string {
  // Maps are made anew with the table's file; what they say of a damaged page may be wrong meanwhile.
  if (part !== undefined && kind !== 'index' && kind !== 'TOAST index')
    return isSystem
      ? `its table is rewritten by: VACUUM FULL ${name};`
      : `made anew with the table: VACUUM FULL ${of ?? name};`;
  if (kind === 'index' || kind === 'TOAST index') return `made anew by: REINDEX INDEX ${name};`;
  if (kind === 'materialized view') return `made anew by: REFRESH MATERIALIZED VIEW ${name};`;
  if (kind === 'sequence') return `set it again: SELECT setval('${name}', …); behind the largest value in use`;
  if (isSystem) return `the catalogue itself: recover the whole database, ${clean}`;
  return `the rows of ${of ?? name} on these pages are lost here: have the table back, ${clean}`;
}
