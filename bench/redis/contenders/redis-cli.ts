// `redis-cli --rdb`: the server's data as a replica gets it, into a file that is checked and then sealed, or unchecked straight into the seal.

import { quoted } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import { type Contender, works } from '../contender.ts';
import type { BenchRedis } from '../server.ts';
import { check, sealed } from './sealed.ts';

export function redisCli(peers: Peers, server: BenchRedis): Contender {
  const about = { name: 'redis_cli', works, isChecked: true };
  return {
    ...sealed(peers, server, about, ({ home }, seal) => {
      const rdb = `${home}/dump.rdb`;
      return [receive(server, rdb), check(server, rdb), seal(rdb), `rm ${quoted([rdb])}`];
    }),
    options: `\`--rdb\` into a file, which it syncs; \`redis-check-rdb\` over it; ${SEAL}`,
  };
}

/** Nothing looks at what it stores. */
export function redisCliUnchecked(peers: Peers, server: BenchRedis): Contender {
  const about = { name: 'redis_cli_unchecked', works, isChecked: false };
  return {
    ...sealed(peers, server, about, (_, seal) => [`${receive(server, '-')} | ${seal()}`]),
    options: `\`--rdb -\` straight into the pipe, **nothing checked**; ${SEAL}`,
  };
}

export const SEAL = 'zstd -3 on all cores, AES-256-CTR without authentication, `sync -f`';

function receive(server: BenchRedis, to: string): string {
  return quoted([server.bin('cli'), '-s', server.socket, '--rdb', to]);
}
