// Whether a server can read what another one wrote: its own kind, and no later than itself.

import { fail } from '../../errors/index.ts';
import type { ServerIdentity } from '../identity.ts';
import { isOlder } from '../tools.ts';
import type { StoredDetails } from './fetch.ts';

/** The last format that both have in common: Redis 7.2, where Valkey began. */
const LAST_COMMON_FORMAT = 11;

/** Throws `REDIS_UNFIT`. */
export function requireReadable(
  { flavour, version }: Pick<ServerIdentity, 'flavour' | 'version'>,
  { server, facts }: Pick<StoredDetails, 'server' | 'facts'>,
): void {
  const isSameKind = flavour === server.flavour;
  const isReadable = isSameKind ? !isOlder(version, server.version) : facts.format.version <= LAST_COMMON_FORMAT;
  if (isReadable) return;
  fail(
    'REDIS_UNFIT',
    `the snapshot was written by ${server.flavour} ${server.version}, which ${flavour} ${version} cannot read`,
    { hint: `restore beside with the programs of ${server.flavour} ${server.version}, or upgrade the server first` },
  );
}
