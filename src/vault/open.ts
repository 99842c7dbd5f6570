// Opening and making a vault: which of the stores hold ours, which key opens it, and what is written into an empty one.

import { randomBytes, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ComponentKind } from '../domain/component.ts';
import { momentFromDate } from '../domain/moment.ts';
import { fail, type HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { returnFreedMemory } from '../system/index.ts';
import { initialise, requireEmpty } from './adopt.ts';
import type { Compression } from './codec.ts';
import { Copies, type Copy, readDescriptor } from './copies.ts';
import type { VaultCore } from './core.ts';
import { KEY_BYTES, VaultKeys } from './crypto.ts';
import { type Descriptor, makeDescriptor, parseDescriptor, verifyDescriptor } from './descriptor.ts';
import { makeSlot, openSlot } from './key-slots.ts';
import type { KeySource } from './key-sources.ts';
import { withLocks } from './locking-store.ts';
import { putReadingKit } from './reading-kit.ts';
import { type SurveyedSlot, surveySlots } from './slot-survey.ts';
import type { CommitPolicy, Vault } from './types.ts';
import { SlotOpener, unlock } from './unlock.ts';
import { OpenedVault } from './vault.ts';
import { getFirst } from './versions.ts';

const DAY_MS = 86_400_000;
/** How long snapshots share packs: a generation is deleted as a whole, so it must not outlive its retention by much. */
export const DEFAULT_GENERATION_MS: Readonly<Record<ComponentKind, number>> = {
  database: 7 * DAY_MS,
  redis: DAY_MS,
  files: 90 * DAY_MS,
  configuration: 90 * DAY_MS,
};

export interface VaultOptions {
  /** Name of the estate; a vault of another estate is `VAULT_OTHER`. */
  readonly estate: string;
  /** In order of preference for reading. */
  readonly copies: readonly Copy[];
  readonly policy: CommitPolicy;
  /** Any one that opens the vault is enough. */
  readonly keys: readonly KeySource[];
  readonly logger: Logger;
  /** This host, as the snapshots it takes name it. */
  readonly host: string;
  readonly generationMs?: Partial<Readonly<Record<ComponentKind, number>>>;
  /** Of new data; default zstd. */
  readonly compression?: Compression;
  /** That hash, compress and encrypt what a snapshot stores; default the cores, at most 4. Each more needs about 40 MB. */
  readonly threads?: number;
  /** Where chunk indexes go that do not fit in memory; default the system's temporary directory. */
  readonly scratchDirectory?: string;
}

type Found = { readonly copy: Copy } & (
  | { readonly descriptor: Descriptor; readonly bytes: Buffer }
  | { readonly error: HoldfastError; readonly tookMs: number }
);

/**
 * Opens the vault on the copies that answer; the others are `away`. Throws `VAULT_MISSING`, `VAULT_OTHER`, `VAULT_KEY_WRONG`, `VAULT_FORMAT`,
 * `SECRET_UNRESOLVED`, or why no copy answers.
 */
export async function openVault(given: VaultOptions): Promise<Vault> {
  const options = locking(given);
  const found = await findDescriptors(options);
  return openFound(options, found);
}

/**
 * Makes the vault on copies that are all empty, or opens the one that is there, adds the key slots that it lacks and renews its reading kit. An empty copy beside
 * an existing vault stays empty (`adoptCopy`): an unmounted disk looks just like it. Throws like `openVault`; making needs every copy to answer.
 */
export async function createVault(given: VaultOptions): Promise<Vault> {
  const options = locking(given);
  const found = await findDescriptors(options);
  const other = found.find((each) => 'error' in each && each.error.code === 'VAULT_OTHER');
  if (other && 'error' in other) throw other.error;
  if (found.some((each) => 'descriptor' in each)) {
    const vault = await openFound(options, found);
    await addMissingSlots(vault, options.keys);
    for (const copy of await vault.core.copies.ready()) await putReadingKit(copy);
    return vault;
  }
  for (const each of found) if ('error' in each && each.error.code !== 'VAULT_MISSING') throw each.error;
  if (options.keys.length === 0) fail('CONFIG_INVALID', 'a vault needs at least one key');
  for (const copy of options.copies) await requireEmpty(copy);
  const keys = new VaultKeys(randomUUID(), randomBytes(KEY_BYTES));
  const slots = new Map<string, Buffer>();
  for (const source of options.keys) {
    const { key, bytes } = await makeSlot(keys.id, keys.vaultKey, source);
    slots.set(key, bytes);
  }
  const descriptor = makeDescriptor(keys, options.estate, momentFromDate(new Date()));
  for (const copy of options.copies) await initialise(copy, slots, descriptor);
  return openedVault(options, keys);
}

/** Every way to a copy goes through its locks. */
function locking(options: VaultOptions): VaultOptions {
  const generationMs = generationMsOf(options);
  return {
    ...options,
    copies: options.copies.map((copy) => ({ ...copy, store: withLocks(copy.store, generationMs) })),
  };
}

function generationMsOf({ generationMs }: VaultOptions): Readonly<Record<ComponentKind, number>> {
  return { ...DEFAULT_GENERATION_MS, ...generationMs };
}

async function findDescriptors(options: VaultOptions): Promise<Found[]> {
  return Promise.all(
    options.copies.map(async (copy): Promise<Found> => {
      const beganMs = performance.now();
      try {
        const check = ({ estate }: Descriptor) => {
          if (estate === options.estate) return;
          fail(
            'VAULT_OTHER',
            `'${copy.store.location}' holds the vault of estate '${estate}', not '${options.estate}'`,
          );
        };
        const bytes = await readDescriptor(copy, check, getFirst);
        return { copy, descriptor: parseDescriptor(copy.description.name, bytes), bytes };
      } catch (error) {
        return { copy, error: toHoldfastError(error), tookMs: performance.now() - beganMs };
      }
    }),
  );
}

async function openFound(options: VaultOptions, found: readonly Found[]): Promise<OpenedVault> {
  const usable = found.filter((each) => 'descriptor' in each);
  if (usable.length === 0) throw worstOf(found);
  const opener = new SlotOpener(options.keys);
  let failure: HoldfastError | undefined;
  for (const id of idsByNumber(usable.map((each) => each.descriptor.vault))) {
    for (const { copy, descriptor } of usable.filter((each) => each.descriptor.vault === id)) {
      try {
        const vaultKey = await unlock(copy, id, opener);
        const keys = new VaultKeys(id, vaultKey);
        verifyDescriptor(keys, copy.description.name, descriptor);
        const vault = openedVault(options, keys);
        for (const each of found) if ('error' in each) vault.core.copies.remember(each.copy, each.error, each.tookMs);
        await vault.conditions();
        return vault;
      } catch (error) {
        const known = toHoldfastError(error);
        if (failure === undefined || (known.retryable && !failure.retryable)) failure = known;
      }
    }
  }
  throw failure;
}

function openedVault(options: VaultOptions, keys: VaultKeys): OpenedVault {
  // What a vault writes, reads and verifies are large blocks that come and go, on many threads.
  returnFreedMemory();
  return new OpenedVault({
    keys,
    copies: new Copies(options.copies, keys, options.logger),
    policy: options.policy,
    logger: options.logger,
    host: options.host,
    generationMs: generationMsOf(options),
    compression: options.compression ?? 'zstd',
    threads: options.threads,
    scratchDirectory: options.scratchDirectory,
  });
}

/** Unknown is not absent: a store that did not answer says more than one that has no vault. */
function worstOf(found: readonly Found[]): HoldfastError {
  const errors = found.flatMap((each) => ('error' in each ? [each.error] : []));
  return (
    errors.find((error) => error.code !== 'VAULT_MISSING') ??
    errors[0] ??
    toHoldfastError(fail('CONFIG_INVALID', 'a vault needs at least one copy'))
  );
}

function idsByNumber(ids: readonly string[]): string[] {
  const count = (id: string) => ids.filter((each) => each === id).length;
  return [...new Set(ids)].sort((a, b) => count(b) - count(a));
}

/**
 * For every key of the configuration a slot on every copy that answers, but none that somebody removed. A secret that is kept off this host is
 * missed only where there is no slot yet. Throws `VAULT_KEY_WRONG` when a slot has another secret.
 */
async function addMissingSlots(vault: OpenedVault, sources: readonly KeySource[]): Promise<void> {
  const { core } = vault;
  const survey = await surveySlots(core);
  const isWhole = survey.copies.every((copy) => survey.lackedBy(copy).length === 0);
  for (const source of sources) {
    const live = survey.live(source.name);
    if (survey.wasRemoved(source.name)) continue;
    const opens = live.length > 0 ? await opensOne(core, live, source) : 'no';
    if (opens === 'no' || (opens === 'yes' && !isWhole)) await vault.slots.add(source);
  }
}

async function opensOne(
  core: VaultCore,
  live: readonly SurveyedSlot[],
  source: KeySource,
): Promise<'yes' | 'no' | 'not at hand'> {
  try {
    for (const { parsed } of live) if (parsed && (await openSlot(core.keys.id, parsed, source))) return 'yes';
    return 'no';
  } catch (error) {
    if (!isHoldfastError(error, 'SECRET_UNRESOLVED', 'KEY_SERVICE_UNAVAILABLE', 'KEY_SERVICE_DENIED')) throw error;
    core.logger.warn({ slot: source.name, code: error.code }, error.message);
    return 'not at hand';
  }
}
