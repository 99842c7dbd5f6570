// Retention as this host carries it out: the policy of the configuration, what restores have proven, and the restores under way.

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { type Configuration, componentsOf, type KeepSettings, stateDirectoryOf } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { type Moment, momentFromDate } from '../domain/moment.ts';
import { deletionDoubt } from '../domain/put-back-words.ts';
import type { HeldLocks, MarkReport, ReleaseReport, SweepReport } from '../domain/retention-report.ts';
import { fail } from '../errors/index.ts';
import type { PassingHold, PlacedHold, RetentionRequest, Vault } from '../vault/index.ts';
import { openConfiguredVault } from './open-vault.ts';
import { observeHeads } from './put-back.ts';
import { provenSnapshots, type Records } from './snapshot-proofs.ts';
import { thisHost } from './this-host.ts';

export interface RetentionAsker {
  /** Whose memory of the copies counts. */
  readonly host: string;
  readonly run: string;
  readonly by: string;
  /** Somebody saw what goes beyond the maximum of one run, and means it. */
  readonly beyondMaximum?: boolean;
  readonly signal?: AbortSignal;
}

/** A restore that has not ended after so long was left behind: its plan is not good any more. */
const RESTORE_DAYS = 7;

/** Throws when a proof or a plan cannot be read: what is not known may be what keeps a snapshot. */
export async function retentionRequest(
  vault: Vault,
  configuration: Configuration,
  { host, ...asker }: RetentionAsker,
): Promise<RetentionRequest> {
  const { retention, timezone } = configuration;
  const all = componentsOf(configuration);
  const records = await vault.listRecords();
  const components = all.map(({ id }) => id);
  const doubt = deletionDoubt(await observeHeads(vault, stateDirectoryOf(configuration, host)));
  return {
    ...asker,
    policies: all.flatMap(({ id, keep }) => (keep === undefined ? [] : [policyOf(id, keep)])),
    timezone,
    graceSeconds: retention.graceSeconds,
    maximum: retention.maximum,
    proofs: await provenSnapshots(vault, components, records),
    passing: await restoresUnderWay(vault, records),
    ...(doubt === undefined ? {} : { doubt }),
  };
}

function policyOf(component: ComponentId, { classes: rules, logSeconds }: KeepSettings) {
  return { component, rules, ...(logSeconds === undefined ? {} : { logWindowSeconds: logSeconds }) };
}

/** Restores whose plan is kept and whose end is not: they read what must not be deleted under them. */
async function restoresUnderWay(vault: Vault, records: Records): Promise<PassingHold[]> {
  const ended = new Set(records.filter(({ name }) => name === 'result').map(({ run }) => run));
  const since = Date.now() - RESTORE_DAYS * 86_400_000;
  const open = records.filter(
    ({ run, name, storedAt }) => name === 'plan' && !ended.has(run) && storedAt.getTime() > since,
  );
  return await Promise.all(
    open.map(async ({ run, name }) => {
      const { component } = (await vault.getRecord(run, name)) as { component: ComponentId };
      return { id: run, component, reason: 'a restore is under way' };
    }),
  );
}

export interface AppliedRetention {
  readonly sweep: SweepReport;
  readonly mark: MarkReport;
}

/** What a person does with retention on a host that has the keys, without Temporal. */
export class HostRetention {
  readonly #vault: Vault;
  readonly #configuration: Configuration;

  readonly #host: string;

  private constructor(vault: Vault, configuration: Configuration, host: string) {
    this.#vault = vault;
    this.#configuration = configuration;
    this.#host = host;
  }

  static async open(configuration: Configuration, logger: Logger): Promise<HostRetention> {
    const host = thisHost(configuration);
    return new HostRetention(await openConfiguredVault(configuration, { host, logger }), configuration, host);
  }

  /** First of all, and whatever is in doubt: see `VaultRetention.lockHeld`. */
  lockHeld(): Promise<readonly HeldLocks[]> {
    return this.#vault.retention.lockHeld();
  }

  async apply(by: string, options: Pick<RetentionAsker, 'beyondMaximum'> = {}): Promise<AppliedRetention> {
    const run = `retention-${randomBytes(4).toString('hex')}`;
    const asker = { ...options, run, by, host: this.#host };
    const asked = () => retentionRequest(this.#vault, this.#configuration, asker);
    const sweep = await this.#vault.retention.sweep(await asked());
    return { sweep, mark: await this.#vault.retention.mark(await asked()) };
  }

  /** Throws `NOT_FOUND` for a snapshot that is not there. */
  async hold(
    target: { readonly component: ComponentId } | { readonly snapshot: string },
    words: { readonly reason: string; readonly by: string; readonly until?: Moment },
  ): Promise<PlacedHold> {
    const at = momentFromDate(new Date());
    if ('component' in target) return await this.#vault.retention.hold({ ...target, ...words, at });
    const { snapshot } = target;
    const found = (await this.#vault.listSnapshots()).find(({ id }) => id === snapshot);
    if (found === undefined) return fail('NOT_FOUND', `there is no snapshot '${snapshot}'`);
    return await this.#vault.retention.hold({ component: found.component, snapshot, ...words, at });
  }

  async release(id: string, words: { readonly reason: string; readonly by: string }): Promise<ReleaseReport> {
    return await this.#vault.retention.release({ id, ...words, at: momentFromDate(new Date()) });
  }

  async close(): Promise<void> {
    await this.#vault.close();
  }
}
