// Verification of a component on its copies, one copy after the other; see `Vault.verify`.

import { type ComponentIntegrity, type CopyIntegrity, countVerdicts, worstVerdict } from '../../domain/integrity.ts';
import { momentFromDate } from '../../domain/moment.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import type { SnapshotOnCopies, VerifyRequest } from '../types.ts';
import { JobThreads } from '../workers/job-threads.ts';
import { CopyCheck, type CopyCheckParts } from './copy-check.ts';

export async function verify(
  core: VaultCore,
  known: readonly SnapshotOnCopies[],
  request: VerifyRequest,
): Promise<ComponentIntegrity> {
  const at = momentFromDate(new Date());
  const wanted = request.copies?.map((name) => core.copies.get(name)) ?? core.copies.all;
  const threads = new JobThreads();
  const allowance = {
    leftBytes: request.budgetBytes ?? Number.POSITIVE_INFINITY,
    untilMs: performance.now() + (request.timeMs ?? Number.POSITIVE_INFINITY),
  };
  const parts = { core, request, threads, allowance, known };
  try {
    const copies: CopyIntegrity[] = [];
    for (const copy of wanted) copies.push(await verifyOn(parts, copy));
    const state = worstVerdict(copies.map((copy) => copy.state));
    return { component: request.component, level: request.level, state, at, copies };
  } finally {
    await threads.close();
  }
}

/** A copy that cannot be asked is not checked, with all that it may hold. */
async function verifyOn(parts: CopyCheckParts, copy: Copy): Promise<CopyIntegrity> {
  const { core, known, request } = parts;
  const { name } = copy.description;
  try {
    await core.copies.require(name);
    return await new CopyCheck(parts, copy).run();
  } catch (cause) {
    request.signal?.throwIfAborted();
    const nothing = countVerdicts([]);
    return {
      copy: name,
      state: 'not checked',
      error: core.copies.failed(copy, cause).toJSON(),
      snapshots: known.map(({ id }) => ({ snapshot: id, state: 'not checked', objects: nothing })),
      objects: nothing,
      segments: nothing,
      readBytes: 0,
      findings: [],
    };
  }
}
