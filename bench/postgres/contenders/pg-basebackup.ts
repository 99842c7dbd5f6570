// pg_basebackup with zstd on the server: no encryption, no deduplication, one file; what the server's own program can do.

import os from 'node:os';
import path from 'node:path';
import { as, quoted, shell } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import type { Contender, Place, Work } from '../contender.ts';
import type { BenchServer } from '../server.ts';
import { restoredEnvironment, startRestored } from './pgbackrest.ts';

export function pgBasebackup({ tar, zstd }: Peers, server: BenchServer): Contender {
  const isIncremental = server.major >= 17;
  const backUp = (place: Place, name: string, ...args: string[]) => {
    const compress = `--compress=server-zstd:level=3,workers=${os.availableParallelism()}`;
    const words = ['-D', `${place.repository}/${name}`, '-F', 'tar', compress, '-X', 'fetch', '-c', 'fast', ...args];
    return quoted([server.bin('pg_basebackup'), ...words]);
  };
  const extract = ({ repository }: Place, name: string, to: string) =>
    `mkdir -m 700 ${quoted([to])}; ${quoted([...zstd.argv, '-q', '-dc', `${repository}/${name}/base.tar.zst`])} | ${quoted([...tar.argv, '-x', '-C', to])}`;
  const restore = (place: Place): string[] => {
    const data = `${place.target}/data`;
    if (!isIncremental) return [extract(place, 'full', data), `sync -f ${quoted([data])}`];
    const manifest = (name: string) => quoted([`${place.repository}/${name}/backup_manifest`]);
    const parts = ['full', 'incremental'].map((name) => `${place.target}/${name}`);
    return [
      ...['full', 'incremental'].map((name, at) => extract(place, name, parts[at] as string)),
      ...['full', 'incremental'].map((name, at) => `cp ${manifest(name)} ${quoted([parts[at] as string])}`),
      quoted([server.bin('pg_combinebackup'), '-o', data, ...parts]),
    ];
  };
  const script = (work: Work, place: Place): string => {
    if (work === 'full') return backUp(place, 'full');
    if (work === 'incremental') return backUp(place, 'incremental', '-i', `${place.repository}/full/backup_manifest`);
    return [...restore(place), ...startRestored(server, place)].join('; ');
  };
  return {
    name: 'pg_basebackup',
    version: server.version,
    options: `tar, zstd 3 with ${os.availableParallelism()} workers on the server, log fetched along; neither encrypted nor authenticated; restored by zstd, tar and pg_combinebackup`,
    works: isIncremental ? ['full', 'incremental', 'restore'] : ['full', 'restore'],
    prepare: (place) => server.giveDirectory(place.repository, place.home, place.target),
    command: (work, place) => ({
      argv: as(server.user, shell(script(work, place))),
      cwd: '/',
      env: server.environment,
    }),
    restored: async (place) => ({
      environment: restoredEnvironment(place),
      dataDirectory: path.join(place.target, 'data'),
    }),
  };
}
