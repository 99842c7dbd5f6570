// What a person can do with journals beside the data and nothing else: finish a restore in place, undo it, or accept it.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { type ComponentSettings, type Configuration, componentsOf } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { workflowIds } from '../domain/ids.ts';
import type { RunStatus } from '../domain/operations.ts';
import type { StoppedServer } from '../domain/run-data.ts';
import type { StandaloneRestore, StandaloneRestores } from '../domain/standalone.ts';
import { fail, HoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Vault } from '../vault/types.ts';
import { openConfiguredVault } from './open-vault.ts';
import { leftOnHost } from './plan-on-host.ts';
import { standaloneDatabase } from './standalone-database.ts';
import { standaloneConfiguration, standaloneFiles } from './standalone-files.ts';
import type { JournaledKind, StandaloneServices } from './standalone-kind.ts';
import { standaloneRedis } from './standalone-redis.ts';
import { type OfRestore, stopBesideOf } from './stop-beside.ts';
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

const kinds: {
  readonly [Kind in ComponentSettings['kind']]: JournaledKind<Extract<ComponentSettings, { kind: Kind }>>;
} = {
  database: standaloneDatabase,
  redis: standaloneRedis,
  files: standaloneFiles,
  configuration: standaloneConfiguration,
};

/** Its settings and its journals belong together: they are looked up by the same component. */
function kindOf({ kind }: ComponentSettings): JournaledKind {
  return kinds[kind] as unknown as JournaledKind;
}

interface OwnRestore {
  readonly settings: ComponentSettings;
  readonly found: StandaloneRestore;
}

type Deed = Pick<RunStatus, 'operation' | 'run' | 'workflowId'> & {
  readonly owner: string;
  /** Which run it ends. */
  readonly restoreRun?: string;
};

/** Touches nothing by itself. Throws `CONFIG_INVALID` when this is none of the configured hosts. */
export function openStandaloneRestores(configuration: Configuration, options: StandaloneOptions): StandaloneRestores {
  return new Standalone(configuration, options);
}

class Standalone implements StandaloneRestores {
  readonly #configuration: Configuration;
  readonly #options: StandaloneOptions;
  readonly #services: StandaloneServices;
  #vault: Promise<Vault> | undefined;

  constructor(configuration: Configuration, options: StandaloneOptions) {
    this.#configuration = configuration;
    this.#options = options;
    const { logger, onStep } = options;
    const host = thisHost(configuration, options.host);
    const reading = () => {
      this.#vault ??= openConfiguredVault(configuration, { host, logger, purpose: 'restore' });
      return this.#vault;
    };
    this.#services = { host, logger, configuration, vault: reading, reading, ...(onStep && { onStep }) };
  }

  async list(component?: ComponentId): Promise<readonly StandaloneRestore[]> {
    return (await this.#all(component)).map(({ found }) => found);
  }

  async rollback(run: string): Promise<RunStatus> {
    const workflowId = workflowIds.rollback(this.#configuration.name, run);
    const own = await this.#find(run);
    const { rollback } = kindOf(own.settings);
    const deed = {
      operation: 'rollbackRestore',
      restoreRun: run,
      run: newRun('rollback'),
      workflowId,
      owner: `rollback of ${run}`,
    } as const;
    return await this.#do(own, deed, rollback);
  }

  async confirm(run: string): Promise<RunStatus> {
    const workflowId = workflowIds.confirm(this.#configuration.name, run);
    const own = await this.#find(run);
    const { confirm } = kindOf(own.settings);
    const deed = {
      operation: 'confirmRestore',
      restoreRun: run,
      run: newRun('confirm'),
      workflowId,
      owner: `confirm of ${run}`,
    } as const;
    return await this.#do(own, deed, confirm);
  }

  async resume(run: string): Promise<RunStatus> {
    const own = await this.#find(run);
    const { resume, operation } = kindOf(own.settings);
    const workflowId = workflowIds.restoreInPlace(this.#configuration.name, own.settings.id);
    return await this.#do(own, { operation, run, workflowId, owner: run }, resume);
  }

  stop(restore: OfRestore): Promise<StoppedServer> {
    return stopBesideOf(this.#services, restore).catch((error: unknown) => {
      throw withNext(error, restore.run);
    });
  }

  left(run: string): Promise<OfRestore | undefined> {
    return leftOnHost(this.#services, run);
  }

  async close(): Promise<void> {
    await (await this.#vault?.catch(() => undefined))?.close();
  }

  async #all(component?: ComponentId): Promise<readonly OwnRestore[]> {
    const { host } = this.#services;
    const all: OwnRestore[] = [];
    for (const settings of componentsOf(this.#configuration)) {
      if (component !== undefined && settings.id !== component) continue;
      if (settings.host !== host) {
        if (component === undefined) continue;
        fail('USAGE', `'${component}' is on host '${settings.host}', this is '${host}'`, {
          hint: `the journal is beside the data: run this on '${settings.host}'`,
        });
      }
      const found = await kindOf(settings).find(settings, this.#services);
      all.push(...found.map((each) => ({ settings, found: each })));
    }
    return all;
  }

  async #find(run: string): Promise<OwnRestore> {
    const unseen: HoldfastError[] = [];
    for (const settings of componentsOf(this.#configuration)) {
      if (settings.host !== this.#services.host) continue;
      try {
        const found = (await kindOf(settings).find(settings, this.#services)).find((each) => each.run === run);
        if (found !== undefined) return { settings, found };
      } catch (error) {
        // What cannot be looked at of one component must not stand in the way of another.
        unseen.push(toHoldfastError(error));
      }
    }
    const [first] = unseen;
    if (first !== undefined) throw first;
    const journals = componentsOf(this.#configuration).flatMap((settings) =>
      kindOf(settings).journals(settings, this.#services),
    );
    return fail('NOT_FOUND', `there is no journal of '${run}' on host '${this.#services.host}'`, {
      hint: `journals are in ${journals.join(', ')}`,
    });
  }

  async #do({ settings, found }: OwnRestore, deed: Deed, end: JournaledKind['rollback']): Promise<RunStatus> {
    const { owner, restoreRun, ...named } = deed;
    const startedAt = new Date().toISOString();
    const { steps = [], ...ended } = await end(this.#services, settings, found, owner).catch((error: unknown) => {
      throw withNext(error, found.run);
    });
    const data = restoreRun === undefined ? ended.data : { ...ended.data, restoreRun };
    const status: RunStatus = {
      ...{ ...named, component: settings.id, state: 'completed', steps, ...ended, ...(data && { data }) },
      ...{ startedAt, endedAt: new Date().toISOString(), by: `${this.#options.by}, without Temporal` },
    };
    const warnings = await this.#keep(status);
    if (warnings.length === 0) return status;
    const before = (status.data?.warnings as readonly string[] | undefined) ?? [];
    return { ...status, data: { ...status.data, warnings: [...before, ...warnings] } };
  }

  /** So that `history` tells it; what was done does not depend on whether it could be written down. */
  async #keep(status: RunStatus): Promise<readonly string[]> {
    try {
      await (await this.#services.reading()).putRecord(status.run, 'result', status);
      return [];
    } catch (error) {
      return [`no record of this is kept in the vault: ${toHoldfastError(error).message}`];
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
