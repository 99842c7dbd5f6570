// Activities of the estate's own queue: reading inputs with the configuration, keeping records of runs, waiting for other runs.

import type { Configuration } from '../config/index.ts';
import type { RunStatus } from '../src/domain/operations.ts';
import type { Vault } from '../src/vault/types.ts';
import type { RunActivities } from './contract.ts';
import { type ActivityFrame, type Running, runActivity } from './lib/activity-runner.ts';
import { resolveInput } from './lib/inputs.ts';

export interface RunActivityDependencies {
  readonly configuration: Configuration;
  readonly frame: ActivityFrame;
  readonly vault: () => Promise<Vault>;
  /** Resolves with the final status of a run, or throws as it failed; `ALREADY_RUNNING` when it was asked for something else. */
  readonly awaitRun: (request: { workflowId: string; request: string }, running: Running) => Promise<RunStatus>;
}

export function createRunActivities({ configuration, frame, vault, awaitRun }: RunActivityDependencies): RunActivities {
  return {
    resolveOperation: ({ operation, input }) =>
      runActivity(frame, async () => resolveInput(configuration, operation, input)),

    putRunRecord: ({ run, name, data }) =>
      runActivity(frame, async ({ report }) => {
        report({ note: `keeping the record '${name}' of ${run}` });
        await (await vault()).putRecord(run, name, data);
      }),

    awaitRun: (request) => runActivity(frame, (running) => awaitRun(request, running)),
  };
}
