// `setup` on this host: keys, stores, vault and slots, step by step; every step can be repeated and says whether it was so before.

import { access } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Configuration, type FilesSettings, resolveSecret, type SecretReference } from '../../config/index.ts';
import type { SetupStep } from '../domain/setup-report.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { requireHeld } from '../stores/guarantees.ts';
import { openStore, prepareStore } from '../stores/open-store.ts';
import type { Store } from '../stores/store.ts';
import { createVault, generateKeyFile, openVault, type Vault } from '../vault/index.ts';
import { checkFiles } from './check-files.ts';
import { slotWarnings } from './key-warnings.ts';
import { vaultOptions } from './open-vault.ts';
import { databaseSteps, requireOneAdopted, standsOnPlanned } from './setup-database.ts';
import { storeConfig } from './store-config.ts';

export interface SetUpOptions {
  readonly host: string;
  readonly logger: Logger;
  /** Say what would be done and do nothing. */
  readonly dryRun: boolean;
  /** May make a key file that is not there. */
  readonly makeKeys: boolean;
  /** Accept servers whose slots may fill the disk (`max_slot_wal_keep_size = -1`). */
  readonly allowUnlimitedSlot: boolean;
  /** Url of a superuser, to make role, rights and settings that a server lacks. Without it they are only told. */
  readonly admin?: AdminAccess;
  readonly onStep: (step: SetupStep) => void;
}

export interface AdminAccess {
  /** Of the database; where the host has only one it need not be named. */
  readonly name?: string;
  readonly reference: SecretReference;
  /** Somebody has said that the statements may be run. */
  readonly isAgreed: boolean;
}

/** What a step says when it is over. */
export type Answer = readonly [state: SetupStep['state'], message: string];

/** A store whose clock differs by more cannot be trusted with ages and leases. */
const mostClockSkewMs = 300_000;

/** Stops at the first step that fails, because the later ones stand on it; never throws for a step's trouble. */
export async function setUpHost(configuration: Configuration, options: SetUpOptions): Promise<readonly SetupStep[]> {
  requireOneAdopted(configuration, options);
  const steps: SetupStep[] = [];
  const step = async (name: string, work: () => Promise<Answer>): Promise<boolean> => {
    const done = await settle(name, work);
    steps.push(done);
    options.onStep(done);
    return done.state !== 'failed';
  };
  const copies = Object.keys(configuration.vault.copies);
  const runbook: (readonly [string, () => Promise<Answer>])[] = [
    ...configuration.vault.keys.map((key) => [`key ${key.name}`, () => keyStep(configuration, key, options)] as const),
    ...copies.map((copy) => [`copy ${copy}`, () => storeStep(configuration, copy, options)] as const),
    ['vault', () => vaultStep(configuration, options)],
    ['key slots', () => slotsStep(configuration, options)],
    ...Object.values(configuration.database)
      .filter(({ host }) => host === options.host)
      .flatMap((database) => databaseSteps(configuration, database, options)),
    ...Object.values(configuration.files)
      .filter(({ host }) => host === options.host)
      .map((files) => [`${files.id} roots`, () => rootsStep(configuration, files)] as const),
  ];
  for (const [name, work] of runbook) {
    if (standsOnPlanned(name, steps))
      await step(name, async () => ['planned', 'would be asked after those statements']);
    else if (!(await step(name, work))) break;
  }
  return steps;
}

async function rootsStep(configuration: Configuration, files: FilesSettings): Promise<Answer> {
  const bad = (await checkFiles(configuration, files)).find(({ ok }) => !ok);
  if (bad !== undefined)
    fail('FILES_ROOT', `${bad.name} ${bad.message}`, bad.hint === undefined ? {} : { hint: bad.hint });
  return ['present', files.roots.join(', ')];
}

/** A step and its end; what was thrown becomes the step's error. */
export async function settle(name: string, work: () => Promise<Answer>): Promise<SetupStep> {
  try {
    const [state, message] = await work();
    return { name, state, message };
  } catch (thrown) {
    const error = toHoldfastError(thrown);
    return { name, state: 'failed', message: error.message, error: error.toJSON() };
  }
}

async function keyStep(
  configuration: Configuration,
  key: Configuration['vault']['keys'][number],
  { dryRun, makeKeys }: SetUpOptions,
): Promise<Answer> {
  if ('passphrase' in key) return passphraseStep(configuration, key.passphrase);
  // That it answers is seen when the vault is opened or made: only then there is something to ask.
  if ('kms' in key) return ['present', `AWS KMS key '${key.kms.keyId}' in ${key.kms.region}`];
  if (await exists(key.file)) return ['present', `'${key.file}'`];
  const holder = await findVault(configuration);
  if (holder !== undefined) {
    fail('VAULT_KEY_WRONG', `the key file '${key.file}' is not there, but copy '${holder}' holds a vault`, {
      hint: `bring the key file back; if this key is new, run \`holdfast keys add ${key.name}\`; or remove it from the configuration and open the vault with another one`,
    });
  }
  if (dryRun)
    return ['planned', `would make the key file '${key.file}' (mode 0600)${makeKeys ? '' : ', with --yes alone'}`];
  if (!makeKeys) {
    fail('SECRET_UNRESOLVED', `the key file '${key.file}' is not there`, {
      hint: 'run `holdfast setup --yes` to make a new one',
    });
  }
  await generateKeyFile(key.file);
  return ['done', `a new key in '${key.file}': keep another way to open the vault off this host`];
}

/** Where a vault is, a passphrase that is kept off this host is as it should be: another key opens it here. */
async function passphraseStep(configuration: Configuration, reference: SecretReference): Promise<Answer> {
  try {
    await resolveSecret(reference);
    return ['present', `a passphrase from '${reference}'`];
  } catch (error) {
    if (!isHoldfastError(error, 'SECRET_UNRESOLVED') || (await findVault(configuration)) === undefined) throw error;
    return ['skipped', `not at hand here ('${reference}'): another key must open the vault`];
  }
}

/** Name of a copy that holds a vault already. A store that does not answer is no reason to believe that there is none: it throws. */
async function findVault(configuration: Configuration): Promise<string | undefined> {
  for (const name of Object.keys(configuration.vault.copies)) {
    const config = storeConfig(configuration, name);
    if (config.type === 'file' && !(await exists(config.path))) continue;
    const store = await openStore(name, config);
    try {
      if (await holdsVault(store)) return name;
    } finally {
      await store.close();
    }
  }
  return undefined;
}

/** Throws `STORE_UNFIT` for a store that does not give what a copy needs and the configuration asks for. Makes the directory of a `file`. */
export async function storeStep(
  configuration: Configuration,
  name: string,
  { dryRun }: Pick<SetUpOptions, 'dryRun'>,
): Promise<Answer> {
  const config = storeConfig(configuration, name);
  if (config.type === 'file' && !(await exists(config.path))) {
    if (dryRun) return ['planned', `would make the directory '${config.path}' and try it`];
    await prepareStore(config);
  }
  const store = await openStore(name, config);
  try {
    if (dryRun) return await lookAtStore(store);
    const { conditionalPut, checksumVerified, clockSkewMs, versioned, guarantees } = await store.probe({
      guarantees: true,
    });
    if (!conditionalPut) unfit(store.location, 'has no conditional put, on which every commit stands');
    // A directory has nobody who could check them on the way in; what is read back is checked always.
    if (config.type === 's3' && !checksumVerified) unfit(store.location, 'takes bytes that do not fit their checksum');
    if (Math.abs(clockSkewMs) > mostClockSkewMs) {
      unfit(store.location, `has a clock that differs from this host's by ${Math.round(clockSkewMs / 1000)} s`);
    }
    requireHeld(store.location, guarantees);
    const seen = [
      'puts only if absent',
      ...(checksumVerified ? ['verifies checksums'] : []),
      ...(versioned === true ? ['keeps versions'] : []),
      ...(versioned === 'unknown' ? ['may keep versions (asking was refused)'] : []),
      ...guarantees.map(({ setting, got }) => `${setting}: ${got}`),
    ];
    return ['present', `${store.location} ${seen.join(', ')}`];
  } finally {
    await store.close();
  }
}

/** Reads alone: what the store must be able to do is seen when it is tried. */
async function lookAtStore(store: Store): Promise<Answer> {
  const isVault = await holdsVault(store);
  const holds = isVault ? 'holds a vault' : 'answers and holds no vault';
  const tried = 'would be tried with objects that are removed again';
  return [isVault ? 'present' : 'planned', `${store.location} ${holds}; ${tried}`];
}

/** A descriptor under a delete marker is one, too. */
async function holdsVault(store: Store): Promise<boolean> {
  return (await store.head('holdfast.json')) !== undefined || (await store.versions('holdfast.json')).length > 0;
}

function unfit(location: string, why: string): never {
  fail('STORE_UNFIT', `${location} ${why}`, { hint: 'use another store for this copy' });
}

async function vaultStep(configuration: Configuration, options: SetUpOptions): Promise<Answer> {
  const { dryRun, host, logger } = options;
  const open = dryRun ? openVault : createVault;
  if (dryRun && (await findVault(configuration)) === undefined)
    return ['planned', `would make a new vault on ${Object.keys(configuration.vault.copies).join(', ')}`];
  const wasThere = dryRun || (await findVault(configuration)) !== undefined;
  const vault = await open(await vaultOptions(configuration, { host, logger }));
  try {
    const adopted = await adoptEmptyCopies(vault, dryRun);
    const away = (await vault.conditions()).filter(({ state }) => state === 'away');
    const [first] = away;
    if (!dryRun && first?.state === 'away') {
      const { code, message, hint } = first.error;
      throw new HoldfastError('STORE_UNAVAILABLE', `copy '${first.name}' is away: ${message} (${code})`, { hint });
    }
    const words = `vault ${vault.id} on ${vault.copies.map(({ name }) => name).join(', ')}`;
    if (adopted.length > 0) {
      const onto = adopted.join(', ');
      return dryRun
        ? ['planned', `${words}; would put its descriptor and key slots on ${onto}`]
        : ['done', `${words}; new on ${onto}`];
    }
    return [wasThere ? 'present' : 'done', words];
  } finally {
    await vault.close();
  }
}

/** Any one slot opens the vault; said in words when too little stands behind that. */
async function slotsStep(configuration: Configuration, { dryRun, host, logger }: SetUpOptions): Promise<Answer> {
  if (dryRun && (await findVault(configuration)) === undefined) {
    const { keys, copies } = configuration.vault;
    const names = keys.map(({ name }) => name).join(', ');
    return ['planned', `would make a slot for each of the keys ${names} on ${Object.keys(copies).join(', ')}`];
  }
  const options = await vaultOptions(configuration, { host, logger });
  const vault = await openVault(options);
  try {
    const listing = await vault.slots.list(options.keys);
    const names = [...new Set(listing.slots.filter(({ removed }) => removed === undefined).map(({ slot }) => slot))];
    return ['present', [names.join(', '), ...(await slotWarnings(configuration, listing))].join('; ')];
  } finally {
    await vault.close();
  }
}

/** A copy that holds nothing gets the descriptor and key slots of the vault that the others hold. */
async function adoptEmptyCopies(vault: Vault, dryRun: boolean): Promise<string[]> {
  const empty = (await vault.conditions()).filter((one) => one.state === 'away' && one.error.code === 'VAULT_MISSING');
  if (!dryRun) for (const { name } of empty) await vault.adoptCopy(name);
  return empty.map(({ name }) => name);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
