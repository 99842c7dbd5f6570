// What a configuration may say but a careful person would not: told, never refused.

import { openPermissionsWarning } from './references.ts';
import { secretFiles } from './secret-files.ts';
import type { Configuration } from './types.ts';

/** One sentence each, with what to do. */
export async function warningsOf(configuration: Configuration): Promise<string[]> {
  return [
    ...ruleOfThree(configuration),
    ...keyWarnings(configuration),
    ...transportWarnings(configuration),
    ...databaseWarnings(configuration),
    ...redisWarnings(configuration),
    ...filesWarnings(configuration),
    ...(await permissionWarnings(configuration)),
  ];
}

/** Three copies, two kinds of media, one off-site. */
function ruleOfThree({ vault }: Configuration): string[] {
  const copies = Object.values(vault.copies);
  const media = new Set(copies.map((copy) => copy.medium));
  const warnings: string[] = [];
  // Production counts as one of the three, and as a disk (see `judgeRule`).
  if (copies.length < 2)
    warnings.push(`3-2-1: ${counted(copies.length, 'copy', 'copies')} configured, 2 are wanted beside production`);
  if (media.size < 2)
    warnings.push(`3-2-1: all copies are on the same kind of medium ('${[...media].join("', '")}'), 2 are wanted`);
  if (!copies.some((copy) => copy.offsite)) warnings.push("3-2-1: no copy has 'offsite: true', 1 is wanted");
  else if (vault.commit.offsite === 0) {
    warnings.push("'vault.commit.offsite' is 0: a backup counts as done before any off-site copy has it");
  }
  return warnings;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? `${one} is` : `${many} are`}`;
}

function keyWarnings({ vault }: Configuration): string[] {
  const warnings: string[] = [];
  if (vault.keys.length === 1) {
    warnings.push('the vault has one key only: whoever loses it loses every copy; add a passphrase kept off the host');
  }
  for (const key of vault.keys) {
    if (!('file' in key)) continue;
    for (const [name, copy] of Object.entries(vault.copies)) {
      if (copy.file !== undefined && key.file.startsWith(`${copy.file}/`)) {
        warnings.push(`key '${key.name}' lies inside copy '${name}' that it opens: keep it elsewhere`);
      }
    }
  }
  return warnings;
}

function transportWarnings({ vault }: Configuration): string[] {
  const places = [
    ...Object.entries(vault.copies).map(([name, { s3 }]) => [`copy '${name}'`, s3?.endpoint] as const),
    ...vault.keys.map((key) => [`the KMS of key '${key.name}'`, 'kms' in key ? key.kms.endpoint : undefined] as const),
  ];
  return places
    .filter(([, endpoint]) => isPlainRemote(endpoint))
    .map(([what]) => `${what} is reached without TLS: use an https endpoint`);
}

function isPlainRemote(endpoint: string | undefined): boolean {
  if (!endpoint?.startsWith('http:')) return false;
  const { hostname } = new URL(endpoint);
  return hostname !== 'localhost' && hostname !== '[::1]' && !hostname.startsWith('127.');
}

function databaseWarnings({ database }: Configuration): string[] {
  return Object.values(database).flatMap((settings) => {
    const warnings: string[] = [];
    if (settings.backup.full === undefined)
      warnings.push(`${settings.id} has no schedule ('backup.full'): base backups are taken only by hand`);
    if (settings.keep === undefined) {
      warnings.push(`${settings.id} has no 'keep': nothing of it is ever deleted, and the copies grow without end`);
    }
    if (settings.dataDirectory === undefined || settings.service === undefined) {
      warnings.push(
        `${settings.id} can only be restored beside: a restore in place needs 'dataDirectory' and 'service'`,
      );
    }
    return warnings;
  });
}

function redisWarnings({ redis }: Configuration): string[] {
  return Object.values(redis).flatMap(({ id, backup, keep }) => {
    const warnings: string[] = [];
    if (backup.rdb === undefined)
      warnings.push(`${id} has no schedule ('backup.rdb'): snapshots are taken only by hand`);
    if (keep === undefined) {
      warnings.push(`${id} has no 'keep': nothing of it is ever deleted, and the copies grow without end`);
    }
    return warnings;
  });
}

function filesWarnings({ files, configuration }: Configuration): string[] {
  return [...Object.values(files), ...Object.values(configuration)].flatMap(({ id, backup, keep }) => {
    const warnings: string[] = [];
    if (backup.snapshot === undefined)
      warnings.push(`${id} has no schedule ('backup.snapshot'): snapshots are taken only by hand`);
    if (keep === undefined) {
      warnings.push(`${id} has no 'keep': nothing of it is ever deleted, and the copies grow without end`);
    }
    return warnings;
  });
}

async function permissionWarnings(configuration: Configuration): Promise<string[]> {
  const warnings = await Promise.all(secretFiles(configuration).map(openPermissionsWarning));
  return warnings.filter((warning) => warning !== undefined);
}
