// What a run tells of itself: named steps in runbook order, in words, as the query `status`, in the UI and in the search attributes.

import { defineSearchAttributeKey } from '@temporalio/common';
import {
  defineQuery,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { OperationName } from '../../activities/contract.ts';
import { runId } from '../../src/domain/ids.ts';
import { messages, type RunStatus, type StepStatus } from '../../src/domain/operations.ts';
import type { RunState } from '../../src/domain/states.ts';
import type { ErrorData } from '../../src/errors/index.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const attributeKeys = {
  estate: defineSearchAttributeKey('HoldfastEstate', 'KEYWORD'),
  component: defineSearchAttributeKey('HoldfastComponent', 'KEYWORD'),
  operation: defineSearchAttributeKey('HoldfastOperation', 'KEYWORD'),
  state: defineSearchAttributeKey('HoldfastState', 'KEYWORD'),
  run: defineSearchAttributeKey('HoldfastRun', 'KEYWORD'),
} as const;
const statusQuery = defineQuery<RunStatus>(messages.status);

/** Estate from the control queue's name, which is where every workflow runs. */
export function estateOfQueue(): string {
  return workflowInfo().taskQueue.split('/')[0] ?? '';
}

export class Progress {
  readonly run: string;
  readonly estate: string;
  #status: Mutable<RunStatus>;
  #steps: Mutable<StepStatus>[];

  /** Registers the query, so it is made before the first await. `subject`: component, or name of a copy. */
  constructor(operation: OperationName, subject: unknown, by: unknown, steps: readonly string[]) {
    const info = workflowInfo();
    this.run = runId(operation, info.firstExecutionRunId);
    this.estate = estateOfQueue();
    this.#steps = steps.map((name) => ({ name, state: 'pending' }));
    this.#status = {
      run: this.run,
      workflowId: info.workflowId,
      operation,
      component: String(subject ?? 'unknown'),
      state: 'running',
      steps: [],
      message: 'starting',
      startedAt: info.startTime.toISOString(),
      ...(typeof by === 'string' ? { by } : {}),
    };
    setHandler(statusQuery, () => this.status(), { description: 'what the run is doing, as a RunStatus' });
    this.#publish();
    upsertSearchAttributes([
      { key: attributeKeys.estate, value: this.estate },
      { key: attributeKeys.operation, value: operation },
      { key: attributeKeys.component, value: this.#status.component },
      { key: attributeKeys.run, value: this.run },
      { key: attributeKeys.state, value: 'running' },
    ]);
  }

  status(): RunStatus {
    return { ...this.#status, steps: this.#steps.map((step) => ({ ...step })) };
  }

  /** Runs one named step of the runbook. */
  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const step = this.#find(name);
    Object.assign(step, { state: 'running', startedAt: now() });
    this.say(name);
    try {
      const result = await work();
      Object.assign(step, { state: 'done', endedAt: now() });
      delete step.note;
      this.#publish();
      return result;
    } catch (error) {
      Object.assign(step, { state: 'failed', endedAt: now() });
      if (isCancellation(error)) step.note = 'cancelled';
      this.#publish();
      throw error;
    }
  }

  skip(name: string, note: string): void {
    Object.assign(this.#find(name), { state: 'skipped', note });
    this.#publish();
  }

  note(name: string, note: string | undefined): void {
    const step = this.#find(name);
    if (note === undefined) delete step.note;
    else step.note = note;
    this.#publish();
  }

  /** A note on whatever step is running; for waits that belong to no step of their own. */
  noteRunning = (note: string | undefined): void => {
    const running = this.#steps.find((step) => step.state === 'running');
    if (running !== undefined) this.note(running.name, note);
    else if (note !== undefined) this.say(note);
  };

  undone(name: string, ok: boolean): void {
    Object.assign(this.#find(name), { state: ok ? 'undone' : 'undo failed', endedAt: now() });
    this.#publish();
  }

  /** In words, what is happening now. */
  say(message: string): void {
    this.#status.message = message;
    this.#publish();
  }

  tell(data: Record<string, unknown>): void {
    this.#status.data = { ...this.#status.data, ...data };
  }

  enter(state: RunState, message: string): void {
    const changed = this.#status.state !== state;
    this.#status.state = state;
    this.say(message);
    if (changed) upsertSearchAttributes([{ key: attributeKeys.state, value: state }]);
  }

  /** Something a person must know while the run goes on: found by `HoldfastState = "alarm"`, told in `data.alarm`. */
  alarm(alarm: (ErrorData & { readonly at: string }) | undefined): void {
    const { alarm: before, ...data } = this.#status.data ?? {};
    this.#status.data = alarm === undefined ? data : { ...data, alarm };
    this.#publish();
    if ((before === undefined) === (alarm === undefined)) return;
    upsertSearchAttributes([{ key: attributeKeys.state, value: alarm === undefined ? this.#status.state : 'alarm' }]);
  }

  end(state: RunState, message: string, error?: ErrorData): void {
    this.#status.endedAt = now();
    if (error !== undefined) this.#status.error = error;
    this.enter(state, message);
  }

  #find(name: string): Mutable<StepStatus> {
    const found = this.#steps.find((step) => step.name === name);
    if (found !== undefined) return found;
    const added: Mutable<StepStatus> = { name, state: 'pending' };
    this.#steps.push(added);
    return added;
  }

  #publish(): void {
    setCurrentDetails(describe(this.status()));
  }
}

function now(): string {
  return new Date().toISOString();
}

const marks: Record<StepStatus['state'], string> = {
  pending: '·',
  running: '▶',
  done: '✔',
  failed: '✖',
  undone: '↩',
  'undo failed': '‼',
  skipped: '–',
};

/** Markdown for the UI. */
function describe(status: RunStatus): string {
  const steps = status.steps.map(
    (step) => `- ${marks[step.state]} ${step.name}${step.note === undefined ? '' : `: ${step.note}`}`,
  );
  const alarm = status.data?.alarm as ErrorData | undefined;
  const alarmed = alarm === undefined ? [] : [``, `**alarm: ${alarm.code}** ${alarm.message}`, ``, alarm.hint];
  const error =
    status.error === undefined ? [] : [``, `**${status.error.code}** ${status.error.message}`, ``, status.error.hint];
  return [`**${status.component}: ${status.state}**, ${status.message}`, '', ...steps, ...alarmed, ...error].join('\n');
}
