// Live progress of a run beside its result: one line that rewrites itself on a terminal; elsewhere a line for each change, what is tried again included, and one a minute.

import { type RunStatus, retryText, type StepStatus } from '../../domain/operations.ts';
import type { Io } from '../io.ts';
import { stepLine } from './run.ts';

export interface Progress {
  show(status: RunStatus): void;
  /** Leaves the terminal as a following line needs it. */
  end(): void;
}

const CLEAR_LINE = '\r\u001b[2K';
/** A step that says nothing new is told again after so long: whoever waits sees that it goes on, and by what it is held up. */
const SILENCE_MS = 60_000;

/** `now`: default the clock's milliseconds. */
export function makeProgress(io: Io, now: () => number = Date.now): Progress {
  return io.stderrIsTerminal ? terminalProgress(io) : plainProgress(io, now);
}

/** A step that ended stays as a line; the running one is rewritten below. */
function terminalProgress(io: Io): Progress {
  const written = new Set<string>();
  return {
    show(status) {
      io.stderr.write(CLEAR_LINE);
      for (const step of newlyEnded(status.steps, written)) io.stderr.write(`${stepLine(step)}\n`);
      const running = status.steps.findLast((step) => step.state === 'running');
      const line = running ? stepLine(running) : `  ${status.message}`;
      io.stderr.write(line.slice(0, Math.max(io.columns - 1, 20)));
    },
    end() {
      io.stderr.write(CLEAR_LINE);
    },
  };
}

function plainProgress(io: Io, now: () => number): Progress {
  const written = new Set<string>();
  let lastMessage = '';
  let toldAt = now();
  const write = (line: string) => {
    io.stderr.write(`${line}\n`);
    toldAt = now();
  };
  return {
    show(status) {
      for (const step of newlyEnded(status.steps, written)) write(stepLine(step));
      // How it ended is the result's to say.
      if (status.endedAt === undefined && status.message !== lastMessage) write(`  … ${status.message}`);
      lastMessage = status.message;
      for (const line of newRetries(status.steps, written)) write(line);
      const running = status.steps.findLast((step) => step.state === 'running');
      if (running !== undefined && now() - toldAt >= SILENCE_MS) write(stepLine(running));
    },
    end() {},
  };
}

/** Each reason once, however many attempts fail by it. */
function newRetries(steps: readonly StepStatus[], written: Set<string>): string[] {
  const retries = steps.flatMap(({ name, retries = [] }) => retries.map((retry) => ({ name, ...retry })));
  return retries
    .filter(({ name, because }) => isNew(`${name} again ${because}`, written))
    .map((retry) => `  … ${retry.name}  ${retryText(retry)}`);
}

function newlyEnded(steps: readonly StepStatus[], written: Set<string>): StepStatus[] {
  const ended = steps.filter((step) => step.state !== 'pending' && step.state !== 'running');
  return ended.filter((step) => isNew(`${step.name} ${step.state}`, written));
}

function isNew(key: string, written: Set<string>): boolean {
  if (written.has(key)) return false;
  written.add(key);
  return true;
}
