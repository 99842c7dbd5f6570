// The facts of a snapshot in numbers, for reports.

import type { FactsSummary } from '../../domain/component-report.ts';
import { parseFacts } from './parse-facts.ts';

/** `undefined`: the snapshot has none that are understood here. */
export function summarizeFacts(data: unknown): FactsSummary | undefined {
  const facts = parseFacts(data);
  if (facts === undefined || facts === 'unknown') return undefined;
  const { databases, missing } = facts;
  const tables = databases.flatMap((database) => database.tables);
  const notCounted: Record<string, number> = {};
  for (const [why, count] of databases.flatMap((database) => Object.entries(database.notCounted)))
    notCounted[why] = (notCounted[why] ?? 0) + count;
  return {
    databases: databases.length,
    tables: tables.length,
    counted: tables.filter(({ basis }) => basis === 'counted').length,
    rows: tables.reduce((sum, { rows }) => sum + Math.max(rows, 0), 0),
    maxima: databases.reduce((sum, { maxima }) => sum + maxima.length, 0),
    ...(Object.keys(notCounted).length > 0 && { notCounted }),
    ...(missing && { missing }),
  };
}
