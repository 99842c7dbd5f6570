// The opened vault: the service that engines use, each part of it in its own file.

import type { ComponentId } from '../domain/component.ts';
import type { SeedPlan } from '../domain/copies-report.ts';
import type { ComponentIntegrity, RepairReport } from '../domain/integrity.ts';
import { adoptCopy } from './adopt.ts';
import { copiesBehind } from './behind.ts';
import { type CatchUpOptions, catchUp } from './catch-up.ts';
import { completeSnapshot, findSnapshot } from './commit.ts';
import type { VaultCore } from './core.ts';
import { type CopyHeads, type HeadCache, readHeads } from './heads.ts';
import { VaultKeySlots } from './key-ring.ts';
import { logsPrefix } from './layout.ts';
import { acquireLease, type Observations } from './lease.ts';
import { VaultLogCopy } from './log-copy.ts';
import { LogSealer } from './log-sealer.ts';
import { getRecord, listRecords, putRecord } from './records.ts';
import { OpenedRetention, type VaultRetention } from './retention/index.ts';
import { seedPlan } from './seed-plan.ts';
import { firstKey, type HeaderCache, listSnapshots, openSnapshot, writeSnapshot } from './snapshots.ts';
import type {
  CatchUpProgress,
  CommitPolicy,
  CommitReady,
  CopyCondition,
  CopyDescription,
  KeySlots,
  Lease,
  LogCopy,
  Looks,
  Proof,
  RepairRequest,
  SnapshotId,
  SnapshotOnCopies,
  SnapshotProof,
  SnapshotReader,
  SnapshotRequest,
  SnapshotWriter,
  Vault,
  VerifyRequest,
} from './types.ts';
import { listLooks, listProofs, putProof, standingProofs } from './verify/proofs.ts';
import { repair } from './verify/repair.ts';
import { verify } from './verify/verify.ts';
import { requireCopy, verifyCopy } from './verify-copy.ts';

export class OpenedVault implements Vault {
  readonly core: VaultCore;
  readonly slots: KeySlots;
  readonly retention: VaultRetention;
  readonly #headers: HeaderCache = new Map();
  readonly #heads: HeadCache = new Map();
  readonly #observations: Observations = new Map();
  readonly #sealer = new LogSealer();

  constructor(core: VaultCore) {
    this.core = core;
    this.slots = new VaultKeySlots(core, (...claim) => this.acquireLease(...claim));
    this.retention = new OpenedRetention(core, this.#observations);
  }

  get id(): string {
    return this.core.keys.id;
  }

  get policy(): CommitPolicy {
    return this.core.policy;
  }

  get copies(): readonly CopyDescription[] {
    return this.core.copies.all.map((copy) => copy.description);
  }

  conditions(): Promise<readonly CopyCondition[]> {
    return this.core.copies.conditions();
  }

  adoptCopy(name: string): Promise<void> {
    return adoptCopy(this.core, name);
  }

  seedPlan(name: string): Promise<SeedPlan> {
    return seedPlan(this.core, name);
  }

  writeSnapshot(request: SnapshotRequest): Promise<SnapshotWriter> {
    return writeSnapshot(this.core, request);
  }

  completeSnapshot(component: ComponentId, id: SnapshotId, ready?: CommitReady): Promise<SnapshotOnCopies | undefined> {
    return completeSnapshot(this.core, component, id, ready);
  }

  listSnapshots(component?: ComponentId): Promise<readonly SnapshotOnCopies[]> {
    return listSnapshots(this.core, this.#headers, component);
  }

  findSnapshot(component: ComponentId, id: SnapshotId): Promise<SnapshotOnCopies | undefined> {
    return findSnapshot(this.core, component, id);
  }

  heads(): Promise<ReadonlyMap<string, CopyHeads>> {
    return readHeads(this.core, this.#heads);
  }

  openSnapshot(id: SnapshotId, from?: string): Promise<SnapshotReader> {
    return openSnapshot(this.core, this.#headers, id, from);
  }

  verifyCopy(component: ComponentId, id: SnapshotId, copy: string): Promise<void> {
    return verifyCopy(this.core, component, id, copy);
  }

  async requireCopy(component: ComponentId, id: SnapshotId, copy: string): Promise<void> {
    await requireCopy(this.core, component, id, copy);
  }

  log(component: ComponentId, systemId: string, copy: string): LogCopy {
    return new VaultLogCopy(this.core, component, systemId, this.core.copies.get(copy), this.#sealer);
  }

  async logSystems(component: ComponentId): Promise<readonly string[]> {
    const answers = await this.core.copies.fromEach('looking for log', async (copy) => {
      const systems: string[] = [];
      for (let after: string | undefined; ; ) {
        const first = await firstKey(copy, logsPrefix(component), after);
        if (first === undefined) return systems;
        const system = first.slice(logsPrefix(component).length).split('/')[0] as string;
        systems.push(system);
        after = `${logsPrefix(component)}${system}/~`;
      }
    });
    return [...new Set([...answers.values()].flat())].sort();
  }

  putRecord(run: string, name: string, data: unknown): Promise<void> {
    return putRecord(this.core, run, name, data);
  }

  getRecord(run: string, name: string): Promise<unknown> {
    return getRecord(this.core, run, name);
  }

  listRecords(run?: string): Promise<readonly { run: string; name: string; storedAt: Date }[]> {
    return listRecords(this.core, run);
  }

  putProof(proof: Proof): Promise<void> {
    return putProof(this.core, proof);
  }

  proofs(component: ComponentId): Promise<readonly SnapshotProof[]> {
    return listProofs(this.core, component);
  }

  looks(component: ComponentId): Promise<Looks> {
    return listLooks(this.core, component);
  }

  async newestProofs(component: ComponentId): Promise<Readonly<Record<string, SnapshotProof>>> {
    return standingProofs(await listProofs(this.core, component));
  }

  async verify(request: VerifyRequest): Promise<ComponentIntegrity> {
    return verify(this.core, await this.listSnapshots(request.component), request);
  }

  repair(request: RepairRequest): Promise<RepairReport> {
    return repair(this.core, request);
  }

  copiesBehind(): Promise<readonly string[]> {
    return copiesBehind(this.core);
  }

  catchUp(target: string, options?: CatchUpOptions): Promise<CatchUpProgress> {
    return catchUp(this.core, target, options);
  }

  acquireLease(resource: string, owner: string, ttlMs: number, above = 0): Promise<Lease> {
    return acquireLease(this.core, this.#observations, { resource, owner, ttlMs, above });
  }

  async close(): Promise<void> {
    await Promise.all(this.core.copies.all.map((copy) => copy.store.close()));
  }
}
