// What the configuration refers to because a secret is in it: variables and files.

import type { Configuration, CopySettings, KeySettings, SecretReference } from './types.ts';

export interface SecretReferences {
  /** Of addresses, which hold a password among other words. */
  readonly addresses: readonly SecretReference[];
  /** Each a secret as a whole. */
  readonly values: readonly SecretReference[];
  /** What may be none: who somebody is, and what commands are given, which the component that runs them knows. */
  readonly others: readonly SecretReference[];
}

/** Each once. */
export function secretReferences(configuration: Configuration): SecretReferences {
  const addresses = [
    ...Object.values(configuration.database).flatMap(({ url, standby, logical }) => [
      url,
      standby?.url,
      logical.url,
      logical.loadUrl,
    ]),
    ...Object.values(configuration.redis).map(({ url }) => url),
  ];
  const { keys, copies } = configuration.vault;
  const hosts = Object.values(configuration.configuration);
  const pairs = [...keys.flatMap(keyPair), ...Object.values(copies).flatMap(copyPairs)];
  const values = [
    ...keys.flatMap(keyReference),
    ...pairs.map((pair) => pair?.secretAccessKey),
    ...hosts.flatMap(({ remote }) => [
      remote?.password,
      ...(remote?.sshKey === undefined ? [] : [`file:${remote.sshKey}`]),
    ]),
  ];
  const others = [
    ...pairs.map((pair) => pair?.accessKeyId),
    ...hosts.flatMap(({ commands }) => commands.flatMap(({ env }) => Object.values(env))),
  ];
  return { addresses: eachOnce(addresses), values: eachOnce(values), others: eachOnce(others) };
}

/** Absolute paths, each once. */
export function secretFiles(configuration: Configuration): readonly string[] {
  const { addresses, values, others } = secretReferences(configuration);
  const files = [...values, ...addresses, ...others].filter((text) => text.startsWith('file:'));
  return [...new Set(files.map((text) => text.slice('file:'.length)))];
}

function eachOnce(references: readonly (string | undefined)[]): readonly SecretReference[] {
  return [...new Set(references.filter((each) => each !== undefined))] as SecretReference[];
}

type Pair = { readonly accessKeyId?: SecretReference; readonly secretAccessKey?: SecretReference } | undefined;

function keyReference(key: KeySettings): (string | undefined)[] {
  if ('file' in key) return [`file:${key.file}`];
  return 'passphrase' in key ? [key.passphrase] : [];
}

function keyPair(key: KeySettings): Pair[] {
  return 'kms' in key ? [key.kms] : [];
}

function copyPairs({ s3 }: CopySettings): Pair[] {
  const { write, restore, prune } = s3?.credentials ?? {};
  return [s3, write, restore, prune];
}
