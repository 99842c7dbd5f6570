// What a person can do with the journal beside the data and nothing else: finish a restore in place, undo it, or accept it.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { type Configuration, type DatabaseSettings, resolveSecret } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { workflowIds } from '../domain/ids.ts';
import type { RunStatus, StepStatus } from '../domain/operations.ts';
import { summarizePlan } from '../domain/plan-summary.ts';
import type { StandaloneRestore, StandaloneRestores } from '../domain/standalone.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import {
  confirmRestore,
  type Guard,
  holdfastDirectory,
  type JournalEntry,
  type JournalState,
  journalStates,
  rollbackRestore,
  verifyProduction,
} from '../postgres/recovery/index.ts';
import type { Vault } from '../vault/types.ts';
import { openConfiguredVault } from './open-vault.ts';
import { type GuardServices, guardedByPerson } from './restore-guard.ts';
import { confirmWords, rollbackWords } from './restore-words.ts';
import { resumeRestore } from './resume-restore.ts';
import { thisHost } from './this-host.ts';

export interface StandaloneOptions {
  readonly logger: Logger;
  /** Who asks, as claimed. */
  readonly by: string;
  /** Name of this host in the configuration; default: see `thisHost`. */
  readonly host?: string;
  /** Told each line of the journal as it is written. */
  readonly onStep?: (words: string) => void;
}

interface Found {
  readonly database: DatabaseSettings & { readonly dataDirectory: string };
  readonly state: JournalState;
}

interface Deed extends Pick<RunStatus, 'operation' | 'run' | 'workflowId'> {
  /** Of the lease. */
  readonly owner: string;
}

type Ended = Pick<RunStatus, 'message' | 'data'>;

/** Touches nothing by itself. Throws `CONFIG_INVALID` when this is none of the configured hosts. */
export function openStandaloneRestores(configuration: Configuration, options: StandaloneOptions): StandaloneRestores {
  return new Standalone(configuration, options);
}

class Standalone implements StandaloneRestores {
  readonly #configuration: Configuration;
  readonly #options: StandaloneOptions;
  readonly #services: GuardServices;
  #vault: Promise<Vault> | undefined;

  constructor(configuration: Configuration, options: StandaloneOptions) {
    this.#configuration = configuration;
    this.#options = options;
    const { logger } = options;
    const host = thisHost(configuration, options.host);
    this.#services = {
      ...{ host, logger },
      vault: () => {
        this.#vault ??= openConfiguredVault(configuration, { host, logger, purpose: 'restore' });
        return this.#vault;
      },
    };
  }

  async list(component?: ComponentId): Promise<readonly StandaloneRestore[]> {
    const all = await this.#all(component);
    return all.map(({ database, state: { run, phase, lastStep } }) => ({
      ...{ run, phase, component: database.id, dataDirectory: database.dataDirectory },
      lastStep: `${lastStep.step} ${lastStep.state}`,
      at: lastStep.at,
    }));
  }

  async rollback(run: string): Promise<RunStatus> {
    const found = await this.#find(run);
    const workflowId = workflowIds.rollback(this.#configuration.name, run);
    const deed = {
      operation: 'rollbackRestore',
      run: newRun('rollback'),
      workflowId,
      owner: `rollback of ${run}`,
    } as const;
    return await this.#do(found, deed, async (guard) => {
      return { message: rollbackWords(run, await rollbackRestore(found.database.dataDirectory, run, guard)) };
    });
  }

  async confirm(run: string): Promise<RunStatus> {
    const found = await this.#find(run);
    const workflowId = workflowIds.confirm(this.#configuration.name, run);
    const deed = {
      operation: 'confirmRestore',
      run: newRun('confirm'),
      workflowId,
      owner: `confirm of ${run}`,
    } as const;
    return await this.#do(found, deed, async (guard) => {
      return { message: confirmWords(run, await confirmRestore(found.database.dataDirectory, run, guard)) };
    });
  }

  async resume(run: string): Promise<RunStatus> {
    const found = await this.#find(run);
    const { database } = found;
    const workflowId = workflowIds.restoreInPlace(this.#configuration.name, database.id);
    const deed = { operation: 'restoreDatabase', run, workflowId, owner: run } as const;
    return await this.#do(found, deed, async (guard) => {
      const verify = (expected: { systemId: string; timeline: number }) => this.#verify(database, expected);
      const { logger, onStep } = this.#options;
      const onNote = (words: string) => onStep?.(words);
      const services = { vault: this.#services.vault, logger, onNote };
      const { plan, keptAt, warnings } = await resumeRestore(database.dataDirectory, run, {
        ...{ ...guard, ...services, verify },
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
    });
  }

  async close(): Promise<void> {
    await (await this.#vault?.catch(() => undefined))?.close();
  }

  async #all(component?: ComponentId): Promise<readonly Found[]> {
    const { host } = this.#services;
    const found: Found[] = [];
    for (const database of Object.values(this.#configuration.database)) {
      if (component !== undefined && database.id !== component) continue;
      if (database.host !== host) {
        if (component === undefined) continue;
        fail('USAGE', `'${component}' is on host '${database.host}', this is '${host}'`, {
          hint: `the journal is beside the data: run this on '${database.host}'`,
        });
      }
      const { dataDirectory } = database;
      if (dataDirectory === undefined) continue;
      const states = await journalStates(dataDirectory);
      found.push(...states.map((state) => ({ database: { ...database, dataDirectory }, state })));
    }
    return found;
  }

  async #find(run: string): Promise<Found> {
    const found = (await this.#all()).find(({ state }) => state.run === run);
    if (found !== undefined) return found;
    const journals = Object.values(this.#configuration.database).flatMap(({ dataDirectory }) =>
      dataDirectory === undefined ? [] : [`'${holdfastDirectory(dataDirectory)}/journal'`],
    );
    return fail('NOT_FOUND', `there is no journal of '${run}' on host '${this.#services.host}'`, {
      hint: `journals are in ${journals.join(', ')}`,
    });
  }

  async #do(found: Found, deed: Deed, work: (guard: Guard) => Promise<Ended>): Promise<RunStatus> {
    const { database, state } = found;
    const startedAt = new Date().toISOString();
    const steps = new Steps();
    const place = { dataDirectory: database.dataDirectory, run: state.run, owner: deed.owner, undo: true };
    const onEntry = (entry: JournalEntry) => {
      steps.add(entry);
      this.#options.onStep?.(`${entry.step}: ${entry.state}`);
    };
    const ended = await guardedByPerson(this.#services, place, (guard) => work({ ...guard, onEntry })).catch(
      (error) => {
        throw withNext(error, state.run);
      },
    );
    const status: RunStatus = {
      ...{ run: deed.run, workflowId: deed.workflowId, operation: deed.operation, component: database.id },
      ...{ state: 'completed', steps: steps.all, ...ended, startedAt, endedAt: new Date().toISOString() },
      by: `${this.#options.by}, without Temporal`,
    };
    const warnings = await this.#keep(status);
    if (warnings.length === 0) return status;
    const before = (status.data?.warnings as readonly string[] | undefined) ?? [];
    return { ...status, data: { ...status.data, warnings: [...before, ...warnings] } };
  }

  /** So that `history` tells it; what was done does not depend on whether it could be written down. */
  async #keep(status: RunStatus): Promise<readonly string[]> {
    try {
      await (await this.#services.vault()).putRecord(status.run, 'result', status);
      return [];
    } catch (error) {
      return [`no record of this is kept in the vault: ${toHoldfastError(error).message}`];
    }
  }

  /** A login that cannot even be tried is like one that is refused: the directory itself was proved. */
  async #verify(
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
}

function newRun(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

/** What to do next after a failure, by its kind. */
function withNext(error: unknown, run: string): HoldfastError {
  const known = toHoldfastError(error);
  const details = known.details === undefined ? {} : { details: known.details };
  if (known.code === 'LOCKED' && known.details?.owner === undefined) {
    const hint = `a worker is at a step beside this data: let it end (\`holdfast show ${run}\`), or stop that worker first`;
    return new HoldfastError('LOCKED', known.message, { hint, cause: error, ...details });
  }
  if (known.retryable) {
    const hint = `${known.hint}; then do the same again: the journal knows how far it came`;
    return new HoldfastError(known.code, known.message, { hint, cause: error, ...details });
  }
  return known;
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
