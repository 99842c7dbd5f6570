// A restore of a database in place, ended by the journal beside its data: found, finished, undone or accepted.

import { type DatabaseSettings, resolveSecret } from '../../config/index.ts';
import type { StepStatus } from '../domain/operations.ts';
import { summarizePlan } from '../domain/plan-summary.ts';
import { isHoldfastError } from '../errors/index.ts';
import {
  confirmRestore,
  type Guard,
  holdfastDirectory,
  type JournalEntry,
  journalStates,
  rollbackRestore,
  verifyProduction,
} from '../postgres/recovery/index.ts';
import { guardedByPerson } from './restore-guard.ts';
import { confirmWords, rollbackWords } from './restore-words.ts';
import { resumeRestore } from './resume-restore.ts';
import type { Ended, Found, JournaledKind, StandaloneServices } from './standalone-kind.ts';

export const standaloneDatabase: JournaledKind<DatabaseSettings> = {
  operation: 'restoreDatabase',
  async find({ id, dataDirectory }) {
    if (dataDirectory === undefined) return [];
    const states = await journalStates(dataDirectory);
    return states.map(({ run, phase, lastStep }) => ({
      ...{ run, phase, component: id, dataDirectory },
      lastStep: `${lastStep.step} ${lastStep.state}`,
      at: lastStep.at,
    }));
  },
  journals: ({ dataDirectory }) =>
    dataDirectory === undefined ? [] : [`'${holdfastDirectory(dataDirectory)}/journal'`],
  rollback: (services, _database, found, owner) =>
    step(services, found, owner, async (guard) => {
      const { dataDirectory, run } = found;
      return { message: rollbackWords(run, await rollbackRestore(dataDirectory, run, guard)) };
    }),
  confirm: (services, _database, found, owner) =>
    step(services, found, owner, async (guard) => {
      const { dataDirectory, run } = found;
      return { message: confirmWords(run, await confirmRestore(dataDirectory, run, guard)) };
    }),
  resume: (services, database, found, owner) =>
    step(services, found, owner, (guard) => resume(services, database, found, guard)),
};

async function resume(
  services: StandaloneServices,
  database: DatabaseSettings,
  { dataDirectory, run }: Found,
  guard: Guard,
): Promise<Ended> {
  const { logger, onStep, reading } = services;
  const verify = (expected: { systemId: string; timeline: number }) => verifyServer(database, expected);
  const onNote = (words: string) => onStep?.(words);
  const { plan, keptAt, warnings } = await resumeRestore(dataDirectory, run, {
    ...{ ...guard, vault: reading, logger, onNote, verify },
  });
  const old = keptAt === undefined ? '' : `; the old data is kept in ${keptAt} until \`holdfast confirm ${run}\``;
  const at = plan === undefined ? 'restored' : `at ${plan.resolved.moment}`;
  return {
    message: `${database.id} is ${at}${old}; take a full backup of the new timeline: holdfast backup ${database.id}`,
    data: {
      ...(plan === undefined ? {} : { plan: summarizePlan(plan) }),
      ...(warnings.length > 0 ? { warnings } : {}),
    },
  };
}

/** The lock first: see `guardedByPerson`. */
async function step(
  services: StandaloneServices,
  { dataDirectory, run }: Found,
  owner: string,
  work: (guard: Guard) => Promise<Ended>,
): Promise<Ended> {
  const steps = new Steps();
  const onEntry = (entry: JournalEntry) => {
    steps.add(entry);
    services.onStep?.(`${entry.step}: ${entry.state}`);
  };
  const place = { dataDirectory, run, owner, undo: true };
  const ended = await guardedByPerson(services, place, (guard) => work({ ...guard, onEntry }));
  return { ...ended, steps: steps.all };
}

/** A login that cannot even be tried is like one that is refused: the directory itself was proved. */
async function verifyServer(
  database: DatabaseSettings,
  expected: { systemId: string; timeline: number },
): Promise<readonly string[]> {
  try {
    return await verifyProduction({ component: database.id, url: await resolveSecret(database.url) }, expected);
  } catch (error) {
    if (!isHoldfastError(error, 'SECRET_UNRESOLVED')) throw error;
    return [`the server was not asked at its address: ${error.message}`];
  }
}

/** The lines of a journal as steps of a run. */
class Steps {
  readonly #steps = new Map<string, StepStatus>();

  get all(): readonly StepStatus[] {
    return [...this.#steps.values()];
  }

  add({ step, state, at }: JournalEntry): void {
    const before = this.#steps.get(step);
    if (state === 'begin') this.#steps.set(step, { name: step, state: 'running', startedAt: at });
    else this.#steps.set(step, { ...before, name: step, state, endedAt: at });
  }
}
