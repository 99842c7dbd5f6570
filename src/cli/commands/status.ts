// `status` and `monitor`: what could be recovered now, from where, and whether that is what was promised.

import { z } from 'zod';
import type { Finding, ScheduleStatus } from '../../domain/client.ts';
import { exitCodes } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { type Outcome, outcome } from '../result.ts';
import { runSummary } from '../run-result.ts';
import { durationOption, noArguments } from './typed.ts';

export const status = defineCommand({
  path: 'status',
  arguments: '',
  summary: 'show what could be recovered now, from which copies, how well proven, and what would be lost',
  details:
    'Leaves with 4 when a component is late or unknown. Also works when Temporal cannot be reached, on a host that has the keys of the vault.',
  examples: ['holdfast status', 'holdfast status --json'],
  standalone: true,
  input: z.object({ args: noArguments }),
  run: (_, context) => readStatus(context),
});

export const monitor = defineCommand({
  path: 'monitor',
  arguments: '',
  summary: 'show the status again and again; with --json one object a line',
  options: [{ flags: '--interval <DURATION>', description: 'time between two looks, default 5s' }],
  examples: ['holdfast monitor', 'holdfast monitor --json --interval 30s'],
  standalone: true,
  input: z.object({ args: noArguments, interval: durationOption.default(5) }),
  async run({ interval }, context) {
    const stop = new AbortController();
    const removeHandler = context.io.onInterrupt(() => stop.abort());
    try {
      while (!stop.signal.aborted) {
        const seen = await readStatus(context);
        if (!context.options.json && context.io.stderrIsTerminal) context.io.stderr.write('\u001b[2J\u001b[H');
        await context.emit({ ...seen, exit: exitCodes.done });
        await sleep(interval * 1000, stop.signal);
      }
    } finally {
      removeHandler();
    }
    return undefined;
  },
});

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}

async function readStatus(context: Context): Promise<Outcome> {
  const { name: estate, timezone } = await context.configuration();
  const { value, temporal } = await answerFrom(
    context,
    async (client) => {
      const [components, copies, running, schedules] = await Promise.all([
        client.components(),
        client.copies(),
        client.running(),
        client.listSchedules(),
      ]);
      return { components, copies, running, schedules };
    },
    async (host) => {
      const [components, copies] = await Promise.all([host.components(), host.copies()]);
      return { components, copies, running: [], schedules: [] };
    },
  );
  const components = value.components.map((component) => {
    const own = value.schedules.filter((schedule) => schedule.component === component.component);
    return { ...component, findings: [...component.findings, ...own.flatMap(scheduleFindings)] };
  });
  const runs = value.running.filter(({ operation }) => operation !== 'shipLog').map((run) => runSummary(run));
  const good = components.length > 0 && components.every(({ state }) => state === 'ok');
  const result = { state: 'completed', estate, timezone, temporal, components, copies: value.copies, runs } as const;
  return outcome('status', result, good ? exitCodes.done : exitCodes.found);
}

/** What only Temporal knows of a schedule; that a snapshot is missing is found in the vault. */
function scheduleFindings({ id, paused, missed, drift }: ScheduleStatus): Finding[] {
  const findings: Finding[] = [];
  const warn = (message: string, hint: string) => findings.push({ severity: 'warning', message, hint });
  if (paused) warn(`the schedule '${id}' is paused`, 'unpause it in the Temporal UI');
  if (missed > 0) {
    warn(`${missed} runs of the schedule '${id}' did not start`, 'was the Temporal server down at those times?');
  }
  if (drift === 'missing') warn(`the schedule '${id}' does not exist`, 'run `holdfast schedules apply`');
  if (drift === 'different')
    warn(`the schedule '${id}' is not what the configuration says`, 'run `holdfast schedules apply`');
  if (drift === 'surplus') warn(`the schedule '${id}' is not in the configuration`, 'run `holdfast schedules apply`');
  return findings;
}
