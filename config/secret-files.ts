// Files that the configuration refers to because a secret is in them.

import type { Configuration, CopySettings, KeySettings } from './types.ts';

/** Absolute paths, each once. */
export function secretFiles(configuration: Configuration): readonly string[] {
  const references = [
    ...configuration.vault.keys.flatMap(keyReferences),
    ...Object.values(configuration.vault.copies).flatMap(copyReferences),
    ...Object.values(configuration.database).flatMap(({ url, standby, logical }) => [
      url,
      standby?.url,
      logical.url,
      logical.loadUrl,
    ]),
    ...Object.values(configuration.redis).map(({ url }) => url),
    ...Object.values(configuration.configuration).flatMap(({ commands, remote }) => [
      ...commands.flatMap(({ env }) => Object.values(env)),
      remote?.password,
      ...(remote?.sshKey === undefined ? [] : [`file:${remote.sshKey}`]),
    ]),
  ];
  return [...new Set(references.flatMap((text) => (text?.startsWith('file:') ? [text.slice('file:'.length)] : [])))];
}

function keyReferences(key: KeySettings): (string | undefined)[] {
  if ('file' in key) return [`file:${key.file}`];
  return 'passphrase' in key ? [key.passphrase] : [key.kms.accessKeyId, key.kms.secretAccessKey];
}

function copyReferences({ s3 }: CopySettings): (string | undefined)[] {
  const { write, restore, prune } = s3?.credentials ?? {};
  return [s3, write, restore, prune].flatMap((pair) => [pair?.accessKeyId, pair?.secretAccessKey]);
}
