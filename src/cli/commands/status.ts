// `status` and `monitor`: what could be recovered now, from where, and whether that is what was promised.

import { z } from 'zod';
import { componentsOf } from '../../../config/index.ts';
import type { Finding } from '../../domain/component-report.ts';
import type { RunStatus } from '../../domain/operations.ts';
import type { ScheduleStatus } from '../../domain/schedule-report.ts';
import { exitCodes, HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { answerFrom, askedHere, inTime } from '../estate-answers.ts';
import { type Outcome, outcome } from '../result.ts';
import { runSummary } from '../run-result.ts';
import { silentHost } from '../silent-host.ts';
import { durationOption, noArguments } from './typed.ts';

export const status = defineCommand({
  path: 'status',
  arguments: '',
  takes: ['standalone'],
  summary: 'show what could be recovered now, from which copies, how well proven, and what would be lost',
  details: 'Works also when Temporal cannot be reached, on a host that has the keys of the vault.',
  found: 'a component is late or unknown',
  examples: ['holdfast status', 'holdfast status --json'],
  input: z.object({ args: noArguments }),
  run: (_, context) => readStatus(context),
});

export const monitor = defineCommand({
  path: 'monitor',
  arguments: '',
  takes: ['standalone'],
  summary: 'show the status again and again; with --json one object a line',
  options: [{ flags: '--interval <DURATION>', description: 'time between two looks, default 5s' }],
  examples: ['holdfast monitor', 'holdfast monitor --json --interval 30s'],
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
  const configuration = await context.configuration();
  const { name: estate, timezone } = configuration;
  const ids = componentsOf(configuration).map(({ id }) => id);
  const [{ value, temporal }, known] = await Promise.all([
    answerFrom(
      context,
      async (client) => {
        const [components, copies] = await Promise.all([client.components(), client.copies()]);
        return { components, copies };
      },
      async (host) => {
        // The vault speaks of every component, also of those of other hosts.
        const [components, copies] = await Promise.all([
          Promise.all(ids.map((id) => host.components(id))),
          host.copies(),
        ]);
        return { components: components.flat(), copies };
      },
    ),
    askTemporal(context),
  ]);
  const silence = askedHere(temporal);
  const components = value.components.map((component) => {
    const own = known.schedules.filter((schedule) => schedule.component === component.component);
    const silent = silence === undefined ? [] : [silentHost(component.host, silence, value.copies.copies)];
    return { ...component, findings: [...component.findings, ...own.flatMap(scheduleFindings), ...silent] };
  });
  const runs = known.running.filter(({ operation }) => operation !== 'shipLog').map((run) => runSummary(run));
  const good = components.length > 0 && components.every(({ state }) => state === 'ok');
  const warnings = known.warnings.length > 0 ? { warnings: known.warnings } : {};
  const result = { state: 'completed', estate, timezone, temporal, components, ...value.copies, runs } as const;
  return outcome('status', { ...result, ...warnings }, good ? exitCodes.done : exitCodes.found);
}

interface TemporalKnows {
  readonly running: readonly RunStatus[];
  readonly schedules: readonly ScheduleStatus[];
  /** What could not be asked, in words. */
  readonly warnings: readonly string[];
}

/** Each by itself: what one of them does not say is named, and hides nothing of the others. */
async function askTemporal(context: Context): Promise<TemporalKnows> {
  const nothing = (why: string) => {
    return { running: [], schedules: [], warnings: [`runs under way and schedules are not known: ${why}`] };
  };
  if (context.options.standalone) return nothing('they are asked of Temporal alone');
  const client = await inTime('Temporal', context.client()).catch((error: unknown) => toHoldfastError(error));
  if (client instanceof HoldfastError) return nothing(client.message);
  const warnings: string[] = [];
  const unless = async <T>(what: string, asked: Promise<readonly T[]>): Promise<readonly T[]> =>
    await inTime('Temporal', asked).catch((error: unknown) => {
      warnings.push(`${what} are not known: ${toHoldfastError(error).message}`);
      return [];
    });
  const [running, schedules] = await Promise.all([
    unless('runs under way', client.running()),
    unless('schedules', client.listSchedules()),
  ]);
  return { running, schedules, warnings };
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
