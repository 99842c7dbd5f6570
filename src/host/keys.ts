// The key slots of a configured vault: what there is, what opens, and changing them with the files and passphrases that belong to them.

import os from 'node:os';
import type { Logger } from 'pino';
import { type Configuration, type KeySettings, resolveSecret, type SecretReference } from '../../config/index.ts';
import { closest } from '../domain/closest.ts';
import type { KeyChange, KeyStatus, KeyTest } from '../domain/key-report.ts';
import { type ErrorCode, fail, HoldfastError } from '../errors/index.ts';
import {
  generateKeyFile,
  type KeySource,
  type ListedSlot,
  openVault,
  readerSha256,
  type SlotChange,
  type SlotListing,
  type Vault,
} from '../vault/index.ts';
import { keyFileExists, rotateKeyFile } from './key-file-change.ts';
import { slotWarnings } from './key-warnings.ts';
import { keySource, passphraseSource, vaultOptions } from './open-vault.ts';

export interface KeyReport {
  readonly keys: readonly KeyStatus[];
  /** Of `rescue.mjs` as this version puts it on every copy. */
  readonly readerSha256: string;
  readonly warnings: readonly string[];
}

export interface KeyChangeReport {
  readonly change: KeyChange;
  readonly message: string;
  readonly warnings: readonly string[];
}

const LINGERS = 'whoever opened the vault with it before may have kept the vault key, which stays the same';

/** The vault and the keys alone are needed: neither Temporal nor a database, and any host that has a key will do. */
export class HostKeys {
  readonly #configuration: Configuration;
  readonly #vault: Vault;
  readonly #sources: readonly KeySource[];

  private constructor(configuration: Configuration, vault: Vault, sources: readonly KeySource[]) {
    this.#configuration = configuration;
    this.#vault = vault;
    this.#sources = sources;
  }

  /** Throws as `openVault` does. */
  static async open(configuration: Configuration, logger: Logger): Promise<HostKeys> {
    const options = await vaultOptions(configuration, { host: os.hostname(), logger });
    return new HostKeys(configuration, await openVault(options), options.keys);
  }

  async list(): Promise<KeyReport> {
    const listing = await this.#vault.slots.list(this.#sources);
    const copies = Object.fromEntries(this.#vault.copies.map(({ name }) => [name, 'absent'] as const));
    const missing = this.#configuration.vault.keys
      .filter(({ name }) => !isLive(listing, name))
      .map((key): KeyStatus => ({ key: key.name, state: 'missing', kind: kindOf(key), copies, opens: false }));
    return {
      keys: [...listing.slots.map(keyStatus), ...missing],
      readerSha256: await readerSha256(),
      warnings: await slotWarnings(this.#configuration, listing),
    };
  }

  /** Throws `NOT_FOUND` for a name that neither the vault nor the configuration knows. */
  async test(name?: string): Promise<readonly KeyTest[]> {
    const tests = await this.#vault.slots.test(this.#sources, name);
    const results = tests.map(({ slot, error, ...where }): KeyTest => {
      return { key: slot, ...where, ok: error === undefined, ...(error && { error }) };
    });
    for (const key of this.#configuration.vault.keys) {
      if ((name ?? key.name) !== key.name || results.some((result) => result.key === key.name)) continue;
      results.push({ key: key.name, ok: false, error: noSlot(key.name).toJSON() });
    }
    if (results.length === 0) throw noSlot(name ?? '', 'NOT_FOUND');
    return results;
  }

  /** A key file that is not there is made; a slot that is there already is brought to every copy. */
  async add(name: string): Promise<KeyChangeReport> {
    const key = this.#configured(name);
    const listing = await this.#vault.slots.list(this.#sources);
    const isNew = !isLive(listing, name);
    const file = isNew && 'file' in key && !(await keyFileExists(key.file)) ? key.file : undefined;
    if (file !== undefined) await generateKeyFile(file);
    const change = await this.#vault.slots.add(await keySource(key));
    const made = file === undefined ? '' : `, with a new key in '${file}'`;
    const message = isNew
      ? `key slot '${name}' is on ${change.copies.join(', ')}${made}`
      : `key slot '${name}' was there and opens; it is on ${change.copies.join(', ')}`;
    return this.#report(change, isNew ? 'added' : 'unchanged', message, [], file);
  }

  /** Nobody is asked about a slot that there is none of. One that was removed before may be left on a copy that was away. Throws `NOT_FOUND`. */
  async requireSlot(name: string): Promise<void> {
    const { slots } = await this.#vault.slots.list(this.#sources);
    if (!slots.some(({ slot }) => slot === name)) throw noSlot(name, 'NOT_FOUND');
  }

  /** Throws `NOT_FOUND`, `KEY_LAST`. */
  async remove(name: string): Promise<KeyChangeReport> {
    const others = this.#sources.filter((source) => source.name !== name);
    const change = await this.#vault.slots.remove(name, others);
    const warnings = [`a slot that went is no key taken back: ${LINGERS}`];
    const configured = this.#configuration.vault.keys.find((key) => key.name === name);
    if (configured && 'file' in configured && (await keyFileExists(configured.file))) {
      warnings.push(`the key file '${configured.file}' opens nothing any more and was left`);
    }
    if (change.removed.length === 0) {
      return this.#report(change, 'unchanged', `key slot '${name}' was removed before`, warnings);
    }
    return this.#report(change, 'removed', `key slot '${name}' is removed from ${change.copies.join(', ')}`, warnings);
  }

  /** `to`: where the new passphrase is, for a key that is one. */
  async rotate(name: string, to?: SecretReference): Promise<KeyChangeReport> {
    const key = this.#configured(name);
    if ('passphrase' in key !== (to !== undefined)) {
      const hint = `for example \`holdfast keys rotate ${name} --to env:NEW_PASSPHRASE\``;
      if (to === undefined) fail('USAGE', `'--to' is missing: key '${name}' is a passphrase`, { hint });
      fail('USAGE', `'--to' names a new passphrase, and key '${name}' is none`, { hint: 'leave it out' });
    }
    if ('file' in key) return this.#rotateFile(key);
    const source = to === undefined ? await keySource(key) : passphraseSource(name, to);
    if (source.kind === 'passphrase' && (await source.resolve()) === '') {
      fail('SECRET_UNRESOLVED', `the passphrase '${to}' is empty`);
    }
    const change = await this.#vault.slots.rotate(source, { fresh: source.kind === 'kms' });
    const warnings = [`the old slot is gone, but ${LINGERS}`];
    if ('passphrase' in key && to !== key.passphrase && !(await isSameSecret(key.passphrase, to))) {
      warnings.push(
        `the configuration still names '${key.passphrase}' for key '${name}': let it name '${to}', or put the new passphrase there`,
      );
    }
    return this.#rotated(change, warnings);
  }

  /** What a change would do, refused where it would be refused before anything is touched. */
  async plan(change: 'add' | 'remove' | 'rotate', name: string): Promise<string> {
    if (change !== 'remove') this.#configured(name);
    const listing = await this.#vault.slots.list(this.#sources);
    if (change === 'add') {
      return isLive(listing, name)
        ? `key slot '${name}' is there: would bring it to every copy that lacks it`
        : `would make a slot for key '${name}' on every copy`;
    }
    if (!isLive(listing, name)) throw noSlot(name, 'NOT_FOUND');
    if (change === 'rotate') return `would give key slot '${name}' a new secret on every copy`;
    const others = listing.slots.filter((each) => each.slot !== name && each.removed === undefined);
    if (!others.some(({ error }) => error === undefined)) {
      fail('KEY_LAST', `without slot '${name}' no key that is at hand opens the vault`);
    }
    return `would remove key slot '${name}' from every copy that another key opens`;
  }

  async close(): Promise<void> {
    await this.#vault.close();
  }

  async #rotateFile(key: KeySettings & { file: string }): Promise<KeyChangeReport> {
    const { change, kept, resumed } = await rotateKeyFile(this.#vault, key);
    const warnings = [`the old slot is gone, but ${LINGERS}`];
    if (kept.length > 0) {
      const away = change.behind.map(({ copy }) => `'${copy}'`).join(', ');
      warnings.push(
        `the old key stays in '${kept.join("', '")}', because copy ${away} still needs it: run \`holdfast keys rotate ${key.name}\` again when it answers`,
      );
    }
    const hosts = Object.keys(this.#configuration.hosts);
    if (hosts.length > 1) {
      warnings.push(
        `the key file is new on this host only: bring '${key.file}' to every other host that uses it (${hosts.join(', ')})`,
      );
    }
    return this.#rotated(change, warnings, key.file, resumed);
  }

  #rotated(change: SlotChange, warnings: string[], file?: string, resumed = false): Promise<KeyChangeReport> {
    const where = change.copies.join(', ');
    if (change.made && !resumed)
      return this.#report(change, 'rotated', `key slot '${change.slot}' has a new secret on ${where}`, warnings, file);
    if (!resumed && change.removed.length === 0) {
      const message = `key slot '${change.slot}' opens with this secret already; nothing was left to do on ${where}`;
      return this.#report(change, 'unchanged', message, []);
    }
    const message = `the rotation of key slot '${change.slot}' that was begun before is finished on ${where}; run it again for yet another secret`;
    return this.#report(change, 'rotated', message, warnings, file);
  }

  async #report(
    { slot, object, removed, copies, behind, kept }: SlotChange,
    change: KeyChange['change'],
    message: string,
    warnings: readonly string[],
    file?: string,
  ): Promise<KeyChangeReport> {
    const more = behind.map(
      ({ copy, error }) => `copy '${copy}' is behind until \`holdfast copies catch-up ${copy}\`: ${error.message}`,
    );
    if (kept.length > 0) {
      more.push(
        `${kept.join(', ')} keeps what was removed until its lock ends, and its old secret opens it there; a later \`holdfast copies catch-up\` deletes it`,
      );
    }
    const listing = await this.#vault.slots.list(this.#sources);
    return {
      change: {
        ...{ key: slot, change, removed, copies, behind },
        ...(object !== undefined && { object }),
        ...(file !== undefined && { file }),
      },
      message,
      warnings: [...warnings, ...more, ...(await slotWarnings(this.#configuration, listing))],
    };
  }

  #configured(name: string): KeySettings {
    const { keys } = this.#configuration.vault;
    const names = keys.map((key) => key.name);
    const suggestion = closest(name, names);
    const hint = suggestion === undefined ? `keys: ${names.join(', ')}` : `did you mean '${suggestion}'?`;
    return keys.find((key) => key.name === name) ?? fail('USAGE', `no key '${name}' is configured`, { hint });
  }
}

function isLive({ slots }: SlotListing, name: string): boolean {
  return slots.some(({ slot, removed }) => slot === name && removed === undefined);
}

function kindOf(key: KeySettings): 'file' | 'passphrase' | 'kms' {
  if ('file' in key) return 'file';
  return 'passphrase' in key ? 'passphrase' : 'kms';
}

function keyStatus({ slot, object, kind, created, removed, copies, error }: ListedSlot): KeyStatus {
  return {
    ...{ key: slot, state: removed === undefined ? 'live' : 'removed', object, copies, opens: error === undefined },
    ...(kind !== undefined && { kind }),
    ...(created !== undefined && { created }),
    ...(error !== undefined && { error }),
  };
}

function noSlot(name: string, code: ErrorCode = 'VAULT_KEY_WRONG'): HoldfastError {
  return new HoldfastError(code, `the vault has no key slot '${name}'`, { hint: '`holdfast keys list` shows them' });
}

async function isSameSecret(one: SecretReference, other: SecretReference | undefined): Promise<boolean> {
  if (other === undefined) return false;
  const [a, b] = await Promise.all([one, other].map((each) => resolveSecret(each).catch(() => undefined)));
  return a !== undefined && a === b;
}
