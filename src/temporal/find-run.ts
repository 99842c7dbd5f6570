// From a run's id, a workflow's id or a component to the execution it names.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { isOperation, isRunName } from '../domain/ids.ts';

/** The list of runs follows the runs with a delay; a run that was just started may not be in it yet. */
const listDelayMs = 3_000;
/** Newest of so many runs are looked at. */
const listLimit = 200;

export interface FindOptions {
  readonly client: Client;
  readonly estate: string;
}

export async function findRun(
  { client, estate }: FindOptions,
  run: string,
): Promise<WorkflowExecutionDescription | undefined> {
  if (isRunName(run)) return findByName({ client, estate }, run);
  if (/^(database|redis|files|configuration)\//.test(run)) {
    const [latest] = await listRuns(
      { client, estate },
      `HoldfastComponent = ${quoted(run)} AND HoldfastOperation != "shipLog"`,
    );
    return latest && describe(client, latest.workflowId, latest.runId);
  }
  return describe(client, run);
}

async function findByName(options: FindOptions, run: string): Promise<WorkflowExecutionDescription | undefined> {
  const giveUpAt = Date.now() + listDelayMs;
  for (;;) {
    const [found] = await listRuns(options, `HoldfastRun = ${quoted(run)}`);
    if (found !== undefined) return describe(options.client, found.workflowId, found.runId);
    if (Date.now() > giveUpAt) return undefined;
    await sleep(300);
  }
}

async function describe(
  client: Client,
  workflowId: string,
  run?: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(workflowId, run).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** Newest first. `where` narrows the estate's runs; only operations are listed, not questions. */
export async function listRuns({ client, estate }: FindOptions, where?: string): Promise<WorkflowExecutionInfo[]> {
  const query = `HoldfastEstate = ${quoted(estate)}${where === undefined ? '' : ` AND ${where}`}`;
  const found: WorkflowExecutionInfo[] = [];
  for await (const info of client.workflow.list({ query, pageSize: listLimit })) {
    if (isOperation(info.type) && info.status.name !== 'CONTINUED_AS_NEW') found.push(info);
    if (found.length >= listLimit) break;
  }
  return found.sort((a, b) => b.startTime.getTime() - a.startTime.getTime());
}

/** A value in a list filter (Temporal's own SQL-like language). */
export function quoted(value: string): string {
  return JSON.stringify(value);
}
