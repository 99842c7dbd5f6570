// restic, with its defaults: zstd at its own level, AES-256-CTR with Poly1305, a cache of its own.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { run } from '../../../src/process/index.ts';
import { quoted, shell } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import type { Contender, Place, Work } from '../contender.ts';

export function restic({ restic: peer }: Peers): Contender {
  const restic = (place: Place, ...args: string[]) => [
    ...peer.argv,
    ...['--quiet', '--repo', place.repository, '--password-file', `${place.home}/key`],
    ...['--cache-dir', `${place.home}/cache`, ...args],
  ];
  const script = (work: Work, place: Place): string => {
    switch (work) {
      // It syncs its files as they are; the rest of what makes a backup durable is the file system's.
      case 'first':
      case 'unchanged':
      case 'changed':
        return `${quoted(restic(place, 'backup', '.'))}; sync -f ${quoted([place.repository])}`;
      case 'restore': {
        const restored = restic(place, 'restore', 'latest', '--target', place.target);
        return `${quoted(restored)}; sync -f ${quoted([place.target])}`;
      }
      case 'check':
        return quoted(restic(place, 'check', '--read-data'));
    }
  };
  return {
    name: 'restic',
    version: `${peer.version} (${peer.source})`,
    options:
      'defaults: zstd (auto), AES-256-CTR with Poly1305, cache in its own directory; `sync -f` after each command',
    async prepare(place) {
      await writeFile(`${place.home}/key`, randomBytes(16).toString('hex'), { mode: 0o600 });
      const [program, ...args] = restic(place, 'init');
      await run(program as string, args);
    },
    command: (work, place) => ({ argv: shell(script(work, place)), cwd: place.source, env: {} }),
  };
}
