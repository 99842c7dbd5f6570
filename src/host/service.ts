// What this host answers by itself with its keys to vault and databases; activities and, without Temporal, the command line ask here.

import type { Logger } from 'pino';
import { type ComponentSettings, type Configuration, componentsOf, stateDirectoryOf } from '../../config/index.ts';
import type { HostService } from '../domain/client.ts';
import type { ComponentId } from '../domain/component.ts';
import type { ComponentStatus, LogReception } from '../domain/component-report.ts';
import { fail, toHoldfastError } from '../errors/index.ts';
import { windows } from '../postgres/recovery/windows.ts';
import type { SnapshotOnCopies, Vault } from '../vault/index.ts';
import { withAppendOnly } from './append-only-status.ts';
import { type CheckOptions, checkComponent } from './check.ts';
import { componentStatus } from './component-status.ts';
import { configurationDiff } from './configuration-diff.ts';
import { withConfiguration } from './configuration-status.ts';
import { readCopies } from './copies-report.ts';
import { diffFilesOf, findFilesOf } from './files-history.ts';
import { withMirror } from './mirror-status.ts';
import { openConfiguredVault } from './open-vault.ts';
import { observeHeads } from './put-back.ts';
import { restoresLeft } from './restores-left.ts';
import { retentionRequest } from './retention.ts';
import { type RunRecords, readHistory, readRunRecords, recordsOf } from './run-records.ts';
import { summarizeSnapshot } from './snapshot-summary.ts';
import { withHeads, withReception, withRestores } from './status-additions.ts';
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
  const all = componentsOf(configuration);
  const find = (component: ComponentId) =>
    all.find(({ id }) => id === component) ?? fail('UNKNOWN_COMPONENT', `no component '${component}' is configured`);
  const history = (component?: ComponentId) => readHistory(vault, component);
  const observe = () => observeHeads(vault, stateDirectoryOf(configuration, host));
  return {
    history,
    snapshots: async (component) => (await vault.listSnapshots(component)).map(summarizeSnapshot),
    copies: async () => {
      const records = await readRunRecords(vault);
      const components = await Promise.all(all.map((each) => readComponent(vault, configuration, each, records)));
      return readCopies({ vault, configuration, components, heads: await observe() });
    },
    async components(component) {
      const wanted = component === undefined ? all.filter((each) => each.host === host) : [find(component)];
      const records = await readRunRecords(vault);
      const heads = await observe().catch(() => undefined);
      return Promise.all(
        wanted.map(async (each) => {
          const { status, snapshots } = await readComponent(vault, configuration, each, records);
          const restores = await restoresLeft(each, recordsOf(records, each.id), {
            ...{ host, estate: configuration.name },
            stateDirectory: stateDirectoryOf(configuration, host),
          });
          const told = withReception(
            withHeads(withRestores(status, restores), heads),
            options.reception?.(each.id) ?? {},
          );
          if (each.host !== host) return told;
          if (each.kind === 'files') return await withMirror(told, each, stateDirectoryOf(configuration, host));
          if (each.kind === 'redis') return await withAppendOnly(told, each, snapshots);
          return each.kind === 'configuration' ? await withConfiguration(told, { vault, configuration }, each) : told;
        }),
      );
    },
    check: async (component, check: CheckOptions = {}) => checkComponent(vault, configuration, find(component), check),
    configurationDiff: async ({ component, ...request }, signal = new AbortController().signal) => {
      const settings = find(component);
      if (settings.kind !== 'configuration') fail('UNKNOWN_COMPONENT', `'${component}' is no configuration`);
      return await configurationDiff({ vault, configuration, host, signal }, settings, request);
    },
    retention: async () => {
      const asked = await retentionRequest(vault, configuration, { run: 'plan', by: 'plan', host });
      return await vault.retention.plan(asked);
    },
    findFiles: (request, looking) => findFilesOf({ vault, configuration, host }, request, looking),
    diffFiles: (request, looking) => diffFilesOf({ vault, configuration, host }, request, looking),
    async close() {
      if (options.vault === undefined) await vault.close();
    },
  };
}

async function readComponent(
  vault: Vault,
  configuration: Configuration,
  settings: ComponentSettings,
  records: RunRecords,
): Promise<{ status: ComponentStatus; snapshots: readonly SnapshotOnCopies[] }> {
  try {
    const facts = {
      conditions: await vault.conditions(),
      snapshots: await vault.listSnapshots(settings.id),
      windows: settings.kind === 'database' ? await windows(vault, settings.id) : [],
      looks: await vault.looks(settings.id),
    };
    const { runs: history } = recordsOf(records, settings.id);
    const status = componentStatus({ ...facts, configuration, settings, history, now: new Date() });
    return { status, snapshots: facts.snapshots };
  } catch (error) {
    return { status: unknownStatus(settings, error), snapshots: [] };
  }
}

/** Unknown is never good. */
function unknownStatus({ id, host, objective }: ComponentSettings, error: unknown): ComponentStatus {
  const { message, hint } = toHoldfastError(error);
  const rpo = objective.rpoSeconds === undefined ? {} : { objectiveSeconds: objective.rpoSeconds };
  return { component: id, host, state: 'unknown', copies: [], rpo, findings: [{ severity: 'late', message, hint }] };
}
