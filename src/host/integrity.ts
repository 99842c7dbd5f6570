// Verification and repair as this host carries them out with its keys: an activity and the command line both use it.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { type Configuration, componentsOf } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import type { ComponentIntegrity, RepairReport } from '../domain/integrity.ts';
import { type Moment, momentFromDate } from '../domain/moment.ts';
import type { VerificationScope } from '../domain/operations.ts';
import type { Vault, VerifyRequest } from '../vault/index.ts';
import { openConfiguredVault } from './open-vault.ts';
import { thisHost } from './this-host.ts';

const DAY_MS = 86_400_000;

export interface VerificationAsker {
  readonly run: string;
  /** When the run began: what an attempt before this one saw since then is not read again. */
  readonly startedAt: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: VerifyRequest['onProgress'];
}

/** One component, or all; the budget is one for all of them. */
export async function verifyComponents(
  vault: Vault,
  configuration: Configuration,
  scope: VerificationScope,
  asker: VerificationAsker,
): Promise<ComponentIntegrity[]> {
  const { level, component, copy, withinDays, budgetBytes, timeSeconds } = scope;
  const components = component === undefined ? componentsOf(configuration).map(({ id }) => id) : [component];
  const endMs = timeSeconds === undefined ? undefined : Date.now() + timeSeconds * 1000;
  const reports: ComponentIntegrity[] = [];
  let leftBytes = budgetBytes;
  for (const each of components) {
    const report = await vault.verify({
      component: each,
      level,
      run: asker.run,
      since: since(asker.startedAt, withinDays),
      ...(copy !== undefined && { copies: [copy] }),
      ...(leftBytes !== undefined && { budgetBytes: leftBytes }),
      ...(endMs !== undefined && { timeMs: Math.max(0, endMs - Date.now()) }),
      ...(asker.signal && { signal: asker.signal }),
      ...(asker.onProgress && { onProgress: asker.onProgress }),
    });
    const readBytes = report.copies.reduce((sum, each) => sum + each.readBytes, 0);
    if (leftBytes !== undefined) leftBytes = Math.max(0, leftBytes - readBytes);
    reports.push(report);
  }
  return reports;
}

function since(startedAt: string, withinDays: number | undefined): Moment {
  const startMs = Date.parse(startedAt);
  return momentFromDate(new Date(withinDays === undefined ? startMs : startMs - withinDays * DAY_MS));
}

/** What a person does on a host that has the keys, without Temporal. */
export class HostIntegrity {
  readonly #vault: Vault;
  readonly #configuration: Configuration;

  private constructor(vault: Vault, configuration: Configuration) {
    this.#vault = vault;
    this.#configuration = configuration;
  }

  static async open(configuration: Configuration, logger: Logger): Promise<HostIntegrity> {
    const host = thisHost(configuration);
    return new HostIntegrity(await openConfiguredVault(configuration, { host, logger }), configuration);
  }

  async verify(scope: VerificationScope): Promise<ComponentIntegrity[]> {
    const run = `verify-${randomBytes(4).toString('hex')}`;
    const startedAt = new Date().toISOString();
    return await verifyComponents(this.#vault, this.#configuration, scope, { run, startedAt });
  }

  /** One copy, or each in turn. */
  async repair(copy: string | undefined, components?: readonly ComponentId[]): Promise<RepairReport[]> {
    const run = `repair-${randomBytes(4).toString('hex')}`;
    const reports: RepairReport[] = [];
    for (const name of copy === undefined ? this.#vault.copies.map((each) => each.name) : [copy]) {
      reports.push(await this.#vault.repair({ copy: name, run, ...(components && { components }) }));
    }
    return reports;
  }

  async close(): Promise<void> {
    await this.#vault.close();
  }
}
