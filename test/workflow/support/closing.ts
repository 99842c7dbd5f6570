// How a run closed, when it closed as failed.

import assert from 'node:assert/strict';
import { ApplicationFailure, type WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { RunStatus } from '../../../src/domain/operations.ts';

export async function failureOf(handle: WorkflowHandle): Promise<{ type: string; status: RunStatus }> {
  const cause = await handle.result().then(
    () => assert.fail('the run should have failed'),
    (thrown: WorkflowFailedError) => thrown.cause,
  );
  assert.ok(cause instanceof ApplicationFailure, `expected an application failure, got ${cause}`);
  return { type: String(cause.type), status: cause.details?.[1] as RunStatus };
}

/** One field of `data`, which must be there. */
export function dataOf<T>(status: RunStatus, field: string): T {
  const value = status.data?.[field];
  assert.notEqual(value, undefined, `expected data.${field}`);
  return value as T;
}

/** Code of the error because of which the run was undone. */
export function causeCode(status: RunStatus): string | undefined {
  const cause = status.error?.details?.cause as { code?: string } | undefined;
  return cause?.code;
}
