// A unit of systemd while its data is exchanged: masked, so that neither a dependency nor a person or a timer starts it in between.

import { run, tryRun } from '../../process/index.ts';

const askLimitMs = 60_000;
const startLimitMs = 30 * 60_000;

/**
 * After the stop, because a masked unit is stopped without its own commands and signals. Only until the next boot: a mask that outlives us would keep
 * production down for ever. Gives a warning when the unit's own file in `/etc` wins over the mask (systemd.unit(5), "Unit File Load Path").
 */
export async function maskUnit(unit: string): Promise<readonly string[]> {
  await tryRun('systemctl', ['mask', '--runtime', unit], { deadlineMs: askLimitMs });
  if (await isMasked(unit)) return [];
  return [`the unit '${unit}' could not be masked while its data was exchanged: whatever starts it could have done so`];
}

async function isMasked(unit: string): Promise<boolean> {
  const args = ['show', '--property=LoadState', '--value', unit];
  return (await tryRun('systemctl', args, { deadlineMs: askLimitMs })).stdout.trim() === 'masked';
}

/** Fine when it is not masked: whoever may start and stop a unit need not have the right to mask it. Throws `PROCESS_FAILED`. */
export async function unmaskUnit(unit: string): Promise<void> {
  if (!(await isMasked(unit))) return;
  await run('systemctl', ['unmask', '--runtime', unit], { deadlineMs: askLimitMs });
}

/** Starts that failed while the data was between two places count against the unit's limit. */
export async function startUnit(unit: string): Promise<void> {
  await tryRun('systemctl', ['reset-failed', unit], { deadlineMs: askLimitMs });
  await run('systemctl', ['start', unit], { deadlineMs: startLimitMs });
}
