// The plan of a restore of a database beside, as this host has it in its work directory: its server is ended while no store answers.

import { open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Configuration, componentsOf } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { fail } from '../errors/index.ts';
import { cloneDirectory, journalState, restorePaths } from '../postgres/recovery/index.ts';
import type { RestorePlan } from '../postgres/types.ts';
import { isLeft } from './open-restores.ts';

interface Here {
  readonly configuration: Configuration;
  readonly host: string;
}

/**
 * Where its server runs, by what it was started with; else where parts are recovered by default. Undefined: not found here. Throws
 * `PLAN_CHANGED` where two places on this host claim the run: two estates of one name.
 */
export async function planOnHost(here: Here, run: string): Promise<RestorePlan | undefined> {
  const files = new Set([...(await byServers(run)), ...byDefault(here, run)]);
  const plans: RestorePlan[] = [];
  for (const file of files) {
    const plan = await ownPlan(file);
    if (plan?.estate !== here.configuration.name || plan.run !== run || plan.place.mode !== 'beside') continue;
    // One that was brought here from elsewhere speaks of another place.
    if (restorePaths(plan.place.dataDirectory, run).plan === file) plans.push(plan);
  }
  if (plans.length > 1) {
    const places = plans.map(({ place }) => `'${place.dataDirectory}'`).join(' and ');
    fail('PLAN_CHANGED', `${run} of estate '${here.configuration.name}' is on this host more than once: ${places}`, {
      hint: `two estates have one name here; what is not yours is ended by whoever started it, by \`pg_ctl -D DIRECTORY stop\``,
    });
  }
  return plans[0];
}

/** Whose server this host knows to be left, without the vault: it has ended well, or nobody has been at it for a while. */
export async function leftOnHost(
  here: Here,
  run: string,
): Promise<{ readonly run: string; readonly component: ComponentId } | undefined> {
  const plan = await planOnHost(here, run);
  if (plan === undefined) return undefined;
  const { dataDirectory } = plan.place;
  const state = await journalState(dataDirectory, run);
  if (state === undefined) return undefined;
  const isOver = state.phase === 'finished' || (await isLeft(dataDirectory, state, new Date()));
  return isOver ? { run, component: plan.component } : undefined;
}

/** A server that a restore has started names its settings in the work directory. */
async function byServers(run: string): Promise<readonly string[]> {
  const files: string[] = [];
  const settings = `/runs/${run}/quarantine/postgresql.conf`;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const word = words.find((each) => each.startsWith('config_file=/') && each.endsWith(settings));
    if (word !== undefined) files.push(path.join(word.slice('config_file='.length), '../../plan.json'));
  }
  return files;
}

function byDefault({ configuration, host }: Here, run: string): readonly string[] {
  return componentsOf(configuration).flatMap((each) =>
    each.kind === 'database' && each.host === host && each.dataDirectory !== undefined
      ? restorePaths(cloneDirectory(each.dataDirectory), run).plan
      : [],
  );
}

/** It says which program is run: one that another user has written, who may start what he likes, is none. */
async function ownPlan(file: string): Promise<RestorePlan | undefined> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    if ((await handle.stat()).uid !== process.geteuid?.()) return undefined;
    return JSON.parse(await handle.readFile('utf8')) as RestorePlan;
  } catch {
    // The vault has it too.
    return undefined;
  } finally {
    await handle.close();
  }
}
