// Records of runs: small encrypted JSON under `runs/<run>/<name>`, written once, on every copy that answers; one is enough.

import { fail, isHoldfastError } from '../errors/index.ts';
import type { Copy } from './copies.ts';
import { requirePolicy } from './copies.ts';
import { getSealed, listAll, putSame, sealContext, type VaultCore } from './core.ts';
import { RUNS_PREFIX, recordKey } from './layout.ts';
import { openVerified } from './replicate.ts';
import { objectTypes, seal, unseal } from './sealed.ts';

/** The same record again is fine (an activity that is repeated); another under its name is `OBJECT_EXISTS`. */
export async function putRecord(core: VaultCore, run: string, name: string, data: unknown): Promise<void> {
  const key = recordKey(run, name);
  const context = sealContext(core, objectTypes.record, key);
  const body = Buffer.from(JSON.stringify(data));
  const bytes = await seal(context, { run, name }, body);
  const stored: Copy[] = [];
  let failure: unknown;
  for (const copy of await core.copies.ready()) {
    try {
      await putSame(copy.store, key, bytes);
      stored.push(copy);
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_EXISTS')) {
        const existing = await getSealed(copy.store, context);
        if (!existing.body.equals(body)) throw error;
        stored.push(copy);
      } else failure = core.copies.failed(copy, error);
    }
  }
  // A recovery keeps records, and it must be possible with the last copy that is left: catch-up brings them to the others.
  requirePolicy({ copies: 1, offsite: 0 }, stored, `record '${run}/${name}' cannot be kept`, failure);
}

/** Throws `NOT_FOUND` when every copy that answers says that it is not there. */
export async function getRecord(core: VaultCore, run: string, name: string): Promise<unknown> {
  const key = recordKey(run, name);
  const context = sealContext(core, objectTypes.record, key);
  try {
    const { body } = await openVerified(core, await core.copies.ready(), key, (each) => unseal(context, each));
    return JSON.parse(body.toString());
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    return fail('NOT_FOUND', `there is no record '${run}/${name}'`, { cause: error });
  }
}

/** Oldest first. */
export async function listRecords(
  core: VaultCore,
  run?: string,
): Promise<readonly { run: string; name: string; storedAt: Date }[]> {
  const prefix = run === undefined ? RUNS_PREFIX : `${RUNS_PREFIX}${run}/`;
  const answers = await core.copies.fromEach('listing records', (copy) => listAll(copy.store, prefix));
  const records = new Map<string, { run: string; name: string; storedAt: Date }>();
  for (const { key, storedAt } of [...answers.values()].flat()) {
    const [, ofRun, name] = key.split('/');
    if (!ofRun || !name) continue;
    const known = records.get(key);
    // A copy that caught up stored it later: the first time is the true one.
    if (!known || storedAt < known.storedAt) records.set(key, { run: ofRun, name, storedAt });
  }
  return [...records.values()].sort((a, b) => a.storedAt.getTime() - b.storedAt.getTime());
}
