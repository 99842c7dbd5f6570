// borg, with zstd 3 and the faster of its two ciphers.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { run } from '../../../src/process/index.ts';
import { quoted, shell } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import type { Contender, Place, Work } from '../contender.ts';

const archives: Readonly<Partial<Record<Work, string>>> = { first: '1', unchanged: '2', changed: '3' };

export function borg({ borg: peer }: Peers): Contender {
  const env = (place: Place) => ({
    ...peer.env,
    BORG_BASE_DIR: place.home,
    BORG_PASSCOMMAND: `cat ${place.home}/key`,
  });
  const script = (work: Work, place: Place): string => {
    const { repository, target } = place;
    if (work === 'check') return quoted([...peer.argv, 'check', '--verify-data', repository]);
    if (work === 'restore') {
      const extract = quoted([...peer.argv, 'extract', `${repository}::3`]);
      return `cd ${quoted([target])}; ${extract}; sync -f .`;
    }
    const create = [...peer.argv, 'create', '--compression', 'zstd,3', `${repository}::${archives[work]}`, '.'];
    return `${quoted(create)}; sync -f ${quoted([repository])}`;
  };
  return {
    name: 'borg',
    version: `${peer.version} (${peer.source})`,
    options: 'zstd,3; `repokey-blake2` (AES-256-CTR with BLAKE2b); `sync -f` after each command',
    async prepare(place) {
      await writeFile(`${place.home}/key`, randomBytes(16).toString('hex'), { mode: 0o600 });
      const [program, ...args] = [...peer.argv, 'init', '--encryption', 'repokey-blake2', place.repository];
      await run(program as string, args, { env: env(place) });
    },
    command: (work, place) => ({ argv: shell(script(work, place)), cwd: place.source, env: env(place) }),
  };
}
