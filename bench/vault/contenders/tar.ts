// tar through zstd and openssl: no deduplication, no authentication, nothing can be read without reading it all; the speed to hold against.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { quoted, shell } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import type { Contender, Place, Work } from '../contender.ts';

export function tar(peers: Peers): Contender {
  const of = (name: 'tar' | 'zstd' | 'openssl', ...args: string[]) => quoted([...peers[name].argv, ...args]);
  const cipher = (place: Place) => ['enc', '-aes-256-ctr', '-pbkdf2', '-pass', `file:${place.home}/key`];
  const backup = (place: Place, name: string) => {
    const list = `${place.repository}/${name}.list`;
    const pipeline = [
      of('tar', '--create', `--listed-incremental=${list}`, '.'),
      of('zstd', '-q', '-3', `-T${os.availableParallelism()}`),
      of('openssl', ...cipher(place), '-out', `${place.repository}/${name}`),
    ];
    // Every backup starts from the list of the first.
    const start = name === 'first' ? '' : `${quoted(['cp', `${place.repository}/first.list`, list])}; `;
    return `${start}${pipeline.join(' | ')}; sync -f ${quoted([place.repository])}`;
  };
  const read = (place: Place, name: string) =>
    `${of('openssl', ...cipher(place), '-d', '-in', `${place.repository}/${name}`)} | ${of('zstd', '-q', '-dc')}`;
  const script = (work: Work, place: Place): string => {
    if (work === 'check') return `${read(place, 'first')} > /dev/null; ${read(place, 'changed')} > /dev/null`;
    if (work !== 'restore') return backup(place, work);
    const extract = of('tar', '--extract', '--listed-incremental=/dev/null');
    const parts = ['first', 'changed'].map((name) => `${read(place, name)} | ${extract}`);
    return `cd ${quoted([place.target])}; ${parts.join('; ')}; sync -f .`;
  };
  return {
    name: 'tar',
    version: `tar ${peers.tar.version}, zstd ${peers.zstd.version}, openssl ${peers.openssl.version} (distribution)`,
    options:
      'zstd -3 on all cores, AES-256-CTR without authentication, `--listed-incremental`; `sync -f` after each command',
    prepare: (place) => writeFile(`${place.home}/key`, `${randomBytes(16).toString('hex')}\n`, { mode: 0o600 }),
    command: (work, place) => ({ argv: shell(script(work, place)), cwd: place.source, env: {} }),
  };
}
