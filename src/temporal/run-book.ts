// The runs of an estate: found by name, listed, and told with the page that shows them.

import type { WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import type { Configuration } from '../../config/index.ts';
import type { RunHandle } from '../domain/client.ts';
import type { ComponentId } from '../domain/component.ts';
import { isOperation, runId } from '../domain/ids.ts';
import type { RunStatus } from '../domain/operations.ts';
import { fail } from '../errors/index.ts';
import type { Connected } from './connection.ts';
import { findRun, listRuns, quoted } from './find-run.ts';
import { closedStatus, firstRunId, outline, queryStatus, withPendingActivities } from './run-status.ts';

/** What runs now is told as well as it can be told at once: a list is not held up by one run that nobody answers for. */
const runningPatienceMs = 4_000;

/** How many of the newest runs `history` tells in full. */
const historyLimit = 50;

interface Started {
  readonly workflowId: string;
  readonly firstExecutionRunId: string;
}

export class RunBook {
  readonly #connected: Connected;
  readonly #configuration: Configuration;
  /** Runs this client started: the server's list learns of them later than we do. */
  readonly #started = new Map<string, Started>();

  constructor(connected: Connected, configuration: Configuration) {
    this.#connected = connected;
    this.#configuration = configuration;
  }

  note(operation: RunStatus['operation'], started: Started): RunHandle {
    const run = runId(operation, started.firstExecutionRunId);
    this.#started.set(run, started);
    return this.#handle(run, started.workflowId, started.firstExecutionRunId);
  }

  async find(run: string): Promise<WorkflowExecutionDescription | undefined> {
    const { client } = this.#connected;
    const estate = this.#configuration.name;
    const own = this.#started.get(run);
    if (own === undefined) return await findRun({ client, estate }, run);
    const latest = await client.workflow.getHandle(own.workflowId).describe();
    if (firstRunId(latest) === own.firstExecutionRunId) return latest;
    return await client.workflow.getHandle(own.workflowId, own.firstExecutionRunId).describe();
  }

  /** Throws `NOT_FOUND`. */
  async require(run: string): Promise<WorkflowExecutionDescription> {
    const found = await this.find(run);
    return found ?? fail('NOT_FOUND', `Temporal knows no run '${run}'`, { hint: 'see `holdfast history`' });
  }

  async handle(run: string): Promise<RunHandle> {
    const found = await this.require(run);
    const name = isOperation(found.type) ? runId(found.type, firstRunId(found)) : run;
    return this.#handle(name, found.workflowId, found.runId);
  }

  /** `undefined` when Temporal does not know the run. Throws `NO_WORKER` when it is open and nobody answers for it. */
  async status(run: string): Promise<RunStatus | undefined> {
    const found = await this.find(run);
    if (found === undefined) return undefined;
    if (found.status.name !== 'RUNNING') return await closedStatus(this.#connected.client, found);
    return (await this.live(found)) ?? outline(found);
  }

  /** Of an open run, with what its activities are doing; `undefined` when no worker answers. */
  async live(found: WorkflowExecutionDescription, deadlineMs?: number): Promise<RunStatus | undefined> {
    const status = await queryStatus(this.#connected.client, found.workflowId, found.runId, deadlineMs);
    return status && withPendingActivities(status, found);
  }

  async running(component?: ComponentId): Promise<readonly RunStatus[]> {
    return await this.#list('ExecutionStatus = "Running"', component, runningPatienceMs);
  }

  async history(component?: ComponentId): Promise<readonly RunStatus[]> {
    return await this.#list(undefined, component);
  }

  async #list(
    where: string | undefined,
    component: ComponentId | undefined,
    deadlineMs?: number,
  ): Promise<RunStatus[]> {
    const { client } = this.#connected;
    const narrowed = [where, component && `HoldfastComponent = ${quoted(component)}`].filter(
      (part) => part !== undefined,
    );
    const filter = narrowed.length === 0 ? undefined : narrowed.join(' AND ');
    const infos = await listRuns({ client, estate: this.#configuration.name }, filter);
    const statuses = infos.slice(0, historyLimit).map((info) => this.#tell(info, deadlineMs));
    const told = (await Promise.all(statuses)).filter((status) => status !== undefined);
    // A run that joined another has that one's status.
    return told.filter((status, at) => told.findIndex(({ run }) => run === status.run) === at);
  }

  async #tell(info: WorkflowExecutionInfo, deadlineMs?: number): Promise<RunStatus | undefined> {
    const { client } = this.#connected;
    try {
      const found = await client.workflow.getHandle(info.workflowId, info.runId).describe();
      if (found.status.name !== 'RUNNING') return await closedStatus(client, found);
      return (await this.live(found, deadlineMs)) ?? outline(found);
    } catch {
      // Listed but gone: its time of retention ended between our two questions.
      return undefined;
    }
  }

  #handle(run: string, workflowId: string, temporalRunId: string): RunHandle {
    const url = this.#url(workflowId, temporalRunId);
    return { runId: run, workflowId, ...(url === undefined ? {} : { url }) };
  }

  #url(workflowId: string, temporalRunId: string): string | undefined {
    const { ui } = this.#configuration.temporal;
    if (ui === undefined) return undefined;
    const namespace = encodeURIComponent(this.#connected.namespace);
    return `${ui.replace(/\/$/, '')}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}/${temporalRunId}`;
  }
}
