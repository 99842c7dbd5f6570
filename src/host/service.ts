// What this host answers by itself with its keys to vault and databases; activities and, without Temporal, the command line ask here.

import type { Logger } from 'pino';
import { type Configuration, type DatabaseSettings, stateDirectoryOf } from '../../config/index.ts';
import type { HostService } from '../domain/client.ts';
import type { ComponentId } from '../domain/component.ts';
import type { ComponentStatus, LogReception } from '../domain/component-report.ts';
import { fail, toHoldfastError } from '../errors/index.ts';
import { windows } from '../postgres/recovery/windows.ts';
import type { SnapshotOnCopies, Vault } from '../vault/index.ts';
import { type CheckOptions, checkDatabase } from './check.ts';
import { componentStatus, withHeads, withReception, withRestores } from './component-status.ts';
import { readCopies } from './copies-report.ts';
import { openRestores } from './open-restores.ts';
import { openConfiguredVault } from './open-vault.ts';
import { observeHeads } from './put-back.ts';
import { retentionRequest } from './retention.ts';
import { type RunRecords, readHistory, readRunRecords, recordsOf } from './run-records.ts';
import { summarizeSnapshot } from './snapshot-summary.ts';
import { thisHost } from './this-host.ts';

export interface HostServiceOptions {
  readonly logger: Logger;
  /** Name of this host in the configuration; default: see `thisHost`. */
  readonly host?: string;
  /** A vault that is open already and stays the caller's; default: one is opened and closed with the service. */
  readonly vault?: Vault;
  /** What the process that receives the log of a component says of it; only that process knows. */
  readonly reception?: (component: ComponentId) => LogReception;
}

/** Throws as `openVault` does, and `CONFIG_INVALID` when this is none of the configured hosts. */
export async function openHostService(configuration: Configuration, options: HostServiceOptions): Promise<HostService> {
  const host = thisHost(configuration, options.host);
  const vault = options.vault ?? (await openConfiguredVault(configuration, { host, logger: options.logger }));
  const all = Object.values(configuration.database);
  const find = (component: ComponentId) =>
    all.find(({ id }) => id === component) ?? fail('UNKNOWN_COMPONENT', `no component '${component}' is configured`);
  const history = (component?: ComponentId) => readHistory(vault, component);
  const observe = () => observeHeads(vault, stateDirectoryOf(configuration, host));
  return {
    history,
    snapshots: async (component) => (await vault.listSnapshots(component)).map(summarizeSnapshot),
    copies: async () => {
      const records = await readRunRecords(vault);
      const components = await Promise.all(
        all.map((database) => readComponent(vault, configuration, database, records)),
      );
      return readCopies({ vault, configuration, components, heads: await observe() });
    },
    async components(component) {
      const wanted = component === undefined ? all.filter((database) => database.host === host) : [find(component)];
      const records = await readRunRecords(vault);
      const heads = await observe().catch(() => undefined);
      return Promise.all(
        wanted.map(async (database) => {
          const { status } = await readComponent(vault, configuration, database, records);
          const restores = await openRestores(database, recordsOf(records, database.id), { host });
          return withReception(
            withHeads(withRestores(status, restores), heads),
            options.reception?.(database.id) ?? {},
          );
        }),
      );
    },
    check: async (component, check: CheckOptions = {}) => checkDatabase(vault, configuration, find(component), check),
    retention: async () => {
      const asked = await retentionRequest(vault, configuration, { run: 'plan', by: 'plan', host });
      return await vault.retention.plan(asked);
    },
    async close() {
      if (options.vault === undefined) await vault.close();
    },
  };
}

async function readComponent(
  vault: Vault,
  configuration: Configuration,
  database: DatabaseSettings,
  records: RunRecords,
): Promise<{ status: ComponentStatus; snapshots: readonly SnapshotOnCopies[] }> {
  try {
    const facts = {
      conditions: await vault.conditions(),
      snapshots: await vault.listSnapshots(database.id),
      windows: await windows(vault, database.id),
      looks: await vault.looks(database.id),
    };
    const { runs: history } = recordsOf(records, database.id);
    const status = componentStatus({ ...facts, configuration, database, history, now: new Date() });
    return { status, snapshots: facts.snapshots };
  } catch (error) {
    return { status: unknownStatus(database, error), snapshots: [] };
  }
}

/** Unknown is never good. */
function unknownStatus({ id, host, objective }: DatabaseSettings, error: unknown): ComponentStatus {
  const { message, hint } = toHoldfastError(error);
  const rpo = objective.rpoSeconds === undefined ? {} : { objectiveSeconds: objective.rpoSeconds };
  return { component: id, host, state: 'unknown', copies: [], rpo, findings: [{ severity: 'late', message, hint }] };
}
