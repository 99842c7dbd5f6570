// Compares the facts of a dump's own instant with the database that it was loaded into whole.

import type { RecoveryCheck } from '../../../domain/run-data.ts';
import { fail } from '../../../errors/index.ts';
import { withPlain } from '../../connection/index.ts';
import {
  compareFacts,
  FactsBudget,
  factsCheck,
  notCompared,
  orderIn,
  parseFacts,
  readFacts,
} from '../../facts/index.ts';
import type { Source } from '../../types.ts';
import type { LogicalDetails } from '../types.ts';
import { scatteredPartitions } from './compare-rows.ts';

/** Rows are compared with the dump by themselves; this is about what the source had. Nobody waits for it longer. */
const WITHIN_MS = 5 * 60_000;

export interface LoadedFacts {
  readonly target: Source;
  /** Name in the dump. */
  readonly name: string;
  readonly details: LogicalDetails;
  readonly major: number;
  readonly signal: AbortSignal;
}

/** Throws `RECOVERY_MISMATCH` when what was loaded contradicts what was dumped. */
export async function compareLoadedFacts({
  target,
  name,
  details,
  major,
  signal,
}: LoadedFacts): Promise<RecoveryCheck> {
  const facts = parseFacts(details.facts);
  const dumped = facts === 'unknown' ? undefined : facts?.databases.find((each) => each.name === name);
  if (dumped === undefined) {
    const unknown = 'those of the snapshot are of a version that is not known here';
    const lacks = facts === 'unknown' ? unknown : (facts?.missing?.join('; ') ?? 'the snapshot has none');
    return notCompared(`facts ${name}`, `not compared: ${lacks}`);
  }
  const check = await withPlain(
    target,
    async (plain) => {
      const scattered = await scatteredPartitions(plain);
      const was = { ...dumped, tables: dumped.tables.filter((each) => !scattered.has(each.name)) };
      const { facts: is } = await readFacts((sql) => plain.query('read its facts', sql), {
        database: name,
        maximum: was.maxima.map(({ column }) => column),
        only: was.tables
          .filter(({ basis, materialized }) => basis === 'counted' && !materialized)
          .map((each) => each.name),
        budget: new FactsBudget(WITHIN_MS),
        signal,
      });
      const restored = { facts: is, relation: 'loaded', otherMajor: details.major !== major } as const;
      const order = orderIn((sql, values) => plain.query('compare its facts', sql, values));
      return factsCheck(name, await compareFacts(was, restored, order), `as dumped at ${was.moment}`);
    },
    { statementMs: WITHIN_MS },
  );
  if (!check.ok)
    fail('RECOVERY_MISMATCH', `what was loaded is not what was dumped: ${check.value}`, { details: { check } });
  return check;
}
