// What runs have shown of snapshots, for retention: as many records of runs are read as can change which snapshot is the newest proven one.

import type { ComponentId } from '../domain/component.ts';
import type { RunStatus } from '../domain/operations.ts';
import { type ProofLevel, proofLevels } from '../domain/states.ts';
import type { Vault } from '../vault/index.ts';
import { proofOf } from './component-status.ts';

export type Records = Awaited<ReturnType<Vault['listRecords']>>;

const RESULT = 'result';
/** A restore ends after the snapshot that it is of began, by clocks that differ by less than this. */
const CLOCKS_MS = 86_400_000;

type Asked = Pick<Vault, 'heads' | 'newestProofs' | 'getRecord'>;

/**
 * By snapshot, the best that verifications and runs showed. Restores that ended before the newest snapshot that was restored began, and backups older
 * than the newest that was read again after it, can change nothing, and are not read. Throws when a record cannot be read: what is not known may be what
 * keeps a snapshot.
 */
export async function provenSnapshots(
  vault: Asked,
  components: readonly ComponentId[],
  records: Records,
): Promise<Record<string, ProofLevel>> {
  const heads = await vault.heads();
  const runs = new EndedRuns(vault, records);
  const proofs: Record<string, ProofLevel> = {};
  const note = (snapshot: string, level: ProofLevel) => {
    const known = proofs[snapshot];
    if (known === undefined || proofLevels.indexOf(level) > proofLevels.indexOf(known)) proofs[snapshot] = level;
  };
  for (const component of components) {
    for (const [snapshot, { level }] of Object.entries(await vault.newestProofs(component))) note(snapshot, level);
    const names = [...heads.values()].flatMap((seen) => seen.get(component)?.names ?? []);
    const ids = new Set(names.map((name) => name.slice(name.indexOf('.') + 1)));
    await fromRestores(runs, ids, note);
    await fromBackups(runs, ids, note);
  }
  return proofs;
}

/** Runs that ended well enough to leave a result, each read once. */
class EndedRuns {
  /** Those that read a snapshot back, the last one first. */
  readonly restores: Records;
  readonly #vault: Asked;
  readonly #names: ReadonlySet<string>;
  readonly #read = new Map<string, Promise<unknown>>();

  constructor(vault: Asked, records: Records) {
    this.#vault = vault;
    const results = records.filter(({ name }) => name === RESULT);
    this.#names = new Set(results.map(({ run }) => run));
    this.restores = results
      .filter(({ run }) => /^(restore|drill)-/.test(run))
      .sort((a, b) => b.storedAt.getTime() - a.storedAt.getTime());
  }

  async proofOf(run: string): Promise<ReturnType<typeof proofOf>> {
    if (!this.#names.has(run)) return undefined;
    const read = this.#read.get(run) ?? this.#vault.getRecord(run, RESULT);
    this.#read.set(run, read);
    return proofOf((await read) as RunStatus);
  }
}

type Note = (snapshot: string, level: ProofLevel) => void;

/** Of all restores until one that cannot be of a snapshot newer than those found. Restores are of physical snapshots alone. */
async function fromRestores(runs: EndedRuns, ids: ReadonlySet<string>, note: Note): Promise<void> {
  let newestBeganMs = Number.NEGATIVE_INFINITY;
  for (const { run, storedAt } of runs.restores) {
    if (storedAt.getTime() + CLOCKS_MS < newestBeganMs) return;
    const proof = await runs.proofOf(run);
    if (proof === undefined || !ids.has(proof.snapshot)) continue;
    note(proof.snapshot, proof.level);
    newestBeganMs = Math.max(newestBeganMs, beganMs(proof.snapshot));
  }
}

/** Of backups and of dumps the newest that was read again after it was taken: an older one shows no more. A backup and its snapshot share the end of their names. */
async function fromBackups(runs: EndedRuns, ids: ReadonlySet<string>, note: Note): Promise<void> {
  const newestFirst = [...ids].sort().reverse();
  for (const operation of ['backup', 'dump']) {
    for (const id of newestFirst) {
      const proof = await runs.proofOf(`${operation}-${id.slice(-8)}`);
      if (proof?.snapshot !== id) continue;
      note(id, proof.level);
      break;
    }
  }
}

/** The time in a snapshot's id. */
function beganMs(id: string): number {
  return Date.parse(id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/, '$1-$2-$3T$4:$5:$6Z'));
}
