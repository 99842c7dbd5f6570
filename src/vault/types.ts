// The vault as the engines see it; the words of its parts come with it.

import type { ComponentId } from '../domain/component.ts';
import type { SeedPlan } from '../domain/copies-report.ts';
import type { SeenHead } from '../domain/heads.ts';
import type { ComponentIntegrity, IntegrityLevel, RepairReport } from '../domain/integrity.ts';
import type { Moment } from '../domain/moment.ts';
import type { LogCopy } from './log-types.ts';
import type { Looks, Proof, SnapshotProof } from './proof-types.ts';
import type { VaultRetention } from './retention/index.ts';
import type { KeySlots } from './slot-types.ts';
import type {
  CommitReady,
  SnapshotId,
  SnapshotOnCopies,
  SnapshotReader,
  SnapshotRequest,
  SnapshotWriter,
} from './snapshot-types.ts';

export type * from './log-types.ts';
export type * from './proof-types.ts';
export type * from './slot-types.ts';
export type * from './snapshot-types.ts';

export interface CopyDescription {
  readonly name: string;
  readonly site: string;
  readonly medium: string;
  readonly offsite: boolean;
  readonly location: string;
}

export type CopyCondition =
  | { readonly name: string; readonly state: 'ready' }
  /** Not reachable, refused, holds no or another vault; the error says which. */
  | { readonly name: string; readonly state: 'away'; readonly error: { code: string; message: string; hint: string } };

/** What "durable" means: how many copies, of which how many off-site (DESIGN `commit`). */
export interface CommitPolicy {
  readonly copies: number;
  readonly offsite: number;
}

export interface Vault {
  readonly id: string;
  /** Holds, tombstones and deletion (docs/vault-format.md, section 13). */
  readonly retention: VaultRetention;
  readonly policy: CommitPolicy;
  readonly copies: readonly CopyDescription[];
  /** Asks every copy anew (descriptor present, same vault, writable where asked). Never throws for one copy's failure. */
  conditions(): Promise<readonly CopyCondition[]>;

  /**
   * Gives an empty copy (`away` with `VAULT_MISSING`) this vault's descriptor and key slots. Only `setup` and `copies add` call it: a disk that is not
   * mounted looks just like an empty one. Throws `STORE_UNFIT` when the store holds something, `VAULT_OTHER`.
   */
  adoptCopy(name: string): Promise<void>;

  /** What `adoptCopy` and a catch-up would bring to this copy; touches nothing. Throws as `adoptCopy` does. */
  seedPlan(name: string): Promise<SeedPlan>;

  writeSnapshot(request: SnapshotRequest): Promise<SnapshotWriter>;
  /**
   * For a repeated attempt, before it reads anything: when a copy that answers has a manifest with this id, completes the snapshot on the
   * others and gives it; `undefined` when none has. `commit` does the same by itself.
   */
  completeSnapshot(component: ComponentId, id: SnapshotId, ready?: CommitReady): Promise<SnapshotOnCopies | undefined>;
  /** Newest first, merged over the copies that answer. Throws `POLICY_UNMET` only when no copy answers. */
  listSnapshots(component?: ComponentId): Promise<readonly SnapshotOnCopies[]>;
  /**
   * One snapshot of a component, by listings and its own manifest alone; `undefined` when no copy lists it. Throws `POLICY_UNMET` when no copy answers,
   * and what is wrong with the manifest when no copy has it whole.
   */
  findSnapshot(component: ComponentId, id: SnapshotId): Promise<SnapshotOnCopies | undefined>;
  /** What each copy that answers shows of every component it has anything of. Throws `POLICY_UNMET` when no copy answers. */
  heads(): Promise<ReadonlyMap<string, ReadonlyMap<ComponentId, SeenHead>>>;
  /** Throws `NOT_FOUND`. `from`: preferred copy; others serve what it lacks. */
  openSnapshot(id: SnapshotId, from?: string): Promise<SnapshotReader>;
  /**
   * Reads manifest, list of packs and tree from this copy alone. Throws what is wrong there: `OBJECT_MISSING`, `OBJECT_DAMAGED`, or why it
   * cannot be asked.
   */
  verifyCopy(component: ComponentId, id: SnapshotId, copy: string): Promise<void>;
  /** The same by its manifest, data keys and listings alone, anew each time: no pack is read. Throws as `verifyCopy` does. */
  requireCopy(component: ComponentId, id: SnapshotId, copy: string): Promise<void>;

  log(component: ComponentId, systemId: string, copy: string): LogCopy;
  /** System ids that have log under this component, over the copies that answer. */
  logSystems(component: ComponentId): Promise<readonly string[]>;

  /** Small encrypted records under `runs/<run>/<name>`, on every copy that answers; one is enough, because a recovery keeps records too. Overwrites never: `name` is new each time. */
  putRecord(run: string, name: string, data: unknown): Promise<void>;
  getRecord(run: string, name: string): Promise<unknown>;
  listRecords(run?: string): Promise<readonly { run: string; name: string; storedAt: Date }[]>;

  /** Keeps what was seen, on every copy that answers; one is enough. */
  putProof(proof: Proof): Promise<void>;
  /** Everything that was ever seen of the component's snapshots, newest first. Throws `POLICY_UNMET` when no copy answers. */
  proofs(component: ComponentId): Promise<readonly SnapshotProof[]>;
  /** The same, with the looks at everything on a copy. */
  looks(component: ComponentId): Promise<Looks>;
  /** By snapshot id: the best proof that no later look at the same copy contradicts; none for a snapshot of which nothing good is known. */
  newestProofs(component: ComponentId): Promise<Readonly<Record<string, SnapshotProof>>>;
  /**
   * Looks at everything that the component has on each copy, by that copy's own bytes, and keeps the result as proofs; a killed run's next attempt goes
   * on where it was. Never throws for one copy's or object's trouble: that is a result.
   */
  verify(request: VerifyRequest): Promise<ComponentIntegrity>;
  /**
   * Puts good bytes of other copies where this copy's are missing or damaged, as listings show now and proofs say; each verified at its source, and
   * the target's bytes found bad once more right before. Snapshots that the copy lacks altogether are left to `catchUp`.
   */
  repair(request: RepairRequest): Promise<RepairReport>;

  /**
   * Names of copies that answer and lack a key slot, a snapshot or a record that another one has; by listings alone. Throws `POLICY_UNMET`
   * only when no copy answers.
   */
  copiesBehind(): Promise<readonly string[]>;
  /** Copies what `target` lacks from the others, verifying: packs, indexes, then manifests; log; records. Idempotent. */
  catchUp(
    target: string,
    options?: { signal?: AbortSignal; onProgress?: (done: CatchUpProgress) => void },
  ): Promise<CatchUpProgress>;

  /** The ways to open this vault, and changing them. */
  readonly slots: KeySlots;

  /**
   * An exclusive, expiring claim on a resource, kept on the copies (majority of the policy's); see docs/vault-format.md. Its token is
   * also greater than `above`, for a resource that remembers tokens which the copies may have lost; default 0.
   */
  acquireLease(resource: string, owner: string, ttlMs: number, above?: number): Promise<Lease>;

  close(): Promise<void>;
}

export interface VerifyRequest {
  readonly component: ComponentId;
  readonly level: IntegrityLevel;
  readonly run: string;
  /** Default all of the configuration. */
  readonly copies?: readonly string[];
  /** What was seen good at this level since then counts and is not read again; without it everything is read. */
  readonly since?: Moment;
  /** Bytes to read at most, over all copies; what is left is `not checked`. Default no limit. */
  readonly budgetBytes?: number;
  /** No object is begun after so long. Default no limit. */
  readonly timeMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly copy: string; readonly objects: number; readonly bytes: number }) => void;
}

export interface RepairRequest {
  readonly copy: string;
  /** Default all that the vault holds. */
  readonly components?: readonly ComponentId[];
  readonly run: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly objects: number; readonly bytes: number }) => void;
}

export interface CatchUpProgress {
  readonly objects: number;
  readonly bytes: number;
  readonly remaining: number;
}

export interface Lease {
  readonly resource: string;
  /** Grows with every holder; a step that destroys compares it. */
  readonly token: number;
  /** How long nobody else can take it, counted on a clock that only runs forward; `check` leaves at least half of the whole time. */
  readonly leftMs: number;
  /** Throws `FENCED` when somebody else holds it by now. Called before every destructive step. */
  check(): Promise<void>;
  renew(): Promise<void>;
  release(): Promise<void>;
}
