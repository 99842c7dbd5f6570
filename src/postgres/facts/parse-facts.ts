// Facts as a manifest has them: understood whole, or said to be of a version that is not known.

import { z } from 'zod';
import { isMoment } from '../../domain/moment.ts';
import { type SnapshotFacts, schemaKinds } from './types.ts';

const count = z.int().min(0);
const xid = z.string().regex(/^\d{1,20}$/);
const hex = z.string().regex(/^[0-9a-f]{32}$/);
const digest = z.object({ objects: count, structure: hex, definitions: hex });

const database = z.object({
  name: z.string(),
  moment: z.string().refine(isMoment),
  lsn: z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/),
  oldestXid: xid,
  nextXid: xid,
  schema: z.partialRecord(z.enum(schemaKinds), digest),
  tables: z.array(
    z.object({
      name: z.string(),
      rows: z.int().min(-1),
      basis: z.enum(['counted', 'estimated']),
      materialized: z.literal(true).optional(),
    }),
  ),
  notCounted: z.record(z.string(), count),
  maxima: z.array(z.object({ column: z.string(), value: z.string().nullable() })),
});

const snapshot = z.object({
  version: z.literal(1),
  databases: z.array(database),
  missing: z.array(z.string()).optional(),
});

/** `undefined`: the snapshot has none. `unknown`: what is there is not of a version that this program knows. */
export function parseFacts(data: unknown): SnapshotFacts | 'unknown' | undefined {
  if (data === undefined) return undefined;
  const parsed = snapshot.safeParse(data);
  return parsed.success ? (parsed.data as unknown as SnapshotFacts) : 'unknown';
}
