// Two states of a host's configuration compared, as a command names them: snapshots, moments, and the host as it is now.

import type { Configuration, HostConfigurationSettings } from '../../config/index.ts';
import { diffConfiguration } from '../configuration/index.ts';
import type { ConfigurationDiffReport, ConfigurationDiffRequest } from '../domain/configuration-diff.ts';
import { parseSnapshotTarget } from '../domain/snapshot-target.ts';
import { isWithheldByMishap } from '../domain/snapshot-words.ts';
import { fail } from '../errors/index.ts';
import { chooseSnapshot } from '../files/index.ts';
import type { Snapshot, SnapshotId, Vault } from '../vault/index.ts';
import { configurationPlace, configurationSource } from './configuration-source.ts';
import { ownSecrets } from './own-secrets.ts';

/** What goes through a history. */
const LARGEST_TEXT_BYTES = 512 * 1024;
const MOST_CHANGES = 500;
const MOST_NOT_COMPARED = 50;

export interface DiffHere {
  readonly vault: Vault;
  readonly configuration: Configuration;
  readonly host: string;
  readonly signal: AbortSignal;
}

/** Throws as `chooseSnapshot`, `SECRET_UNRESOLVED` while a secret of our own cannot be read, and `UNKNOWN_COMPONENT` for `now` on another host. */
export async function configurationDiff(
  { vault, configuration, host, signal }: DiffHere,
  settings: HostConfigurationSettings,
  { from: one, to: other }: Pick<ConfigurationDiffRequest, 'from' | 'to'>,
): Promise<ConfigurationDiffReport> {
  const named = async (text: string): Promise<Snapshot> => {
    const { id } = await chooseSnapshot(vault, settings.id, parseSnapshotTarget(text, configuration.timezone));
    const found = await vault.findSnapshot(settings.id, id as SnapshotId);
    return found ?? fail('NOT_FOUND', `there is no snapshot '${id}' any more`);
  };
  const from = await named(one);
  if (other === 'now' && settings.host !== host) {
    fail('UNKNOWN_COMPONENT', `'${settings.id}' is on host '${settings.host}': '${host}' does not see how it is now`);
  }
  const to = other === 'now' ? { source: await configurationSource(configuration, settings) } : await named(other);
  const { values: own, unread } = await ownSecrets(configuration);
  if (unread.length > 0) {
    fail(
      'SECRET_UNRESOLVED',
      `'${unread[0]}' holds a secret and cannot be read: any text may show it, and none is shown`,
    );
  }
  const place = configurationPlace(configuration, settings);
  const diff = await diffConfiguration({
    vault,
    place,
    from,
    to,
    rules: settings.redact,
    own,
    largestBytes: LARGEST_TEXT_BYTES,
    signal,
  });
  const notCompared = diff.withheld?.first.filter(({ why }) => isWithheldByMishap(why)) ?? [];
  return {
    component: settings.id,
    from: { snapshot: from.id, at: from.to },
    to: 'source' in to ? 'now' : { snapshot: to.id, at: to.to },
    changes: { count: diff.changes.length, first: diff.changes.slice(0, MOST_CHANGES) },
    text: diff.text,
    isCut: diff.isCut,
    ...(notCompared.length > 0 && { notCompared: notCompared.slice(0, MOST_NOT_COMPARED) }),
  };
}
