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
