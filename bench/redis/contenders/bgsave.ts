// BGSAVE and a copy of the file that the server has saved, checked before it is sealed, or not.

import path from 'node:path';
import { quoted } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import type { Contender } from '../contender.ts';
import type { BenchRedis } from '../server.ts';
import { SEAL } from './redis-cli.ts';
import { check, sealed } from './sealed.ts';

/** What is stored is what `redis_cli` stores: given back in the same way. */
const works = ['capture'] as const;

export function bgsave(peers: Peers, server: BenchRedis): Contender {
  const about = { name: 'bgsave', works, isChecked: true };
  return {
    ...sealed(peers, server, about, (_, seal) => [...save(server), check(server, rdbOf(server)), seal(rdbOf(server))]),
    options: `\`BGSAVE\` until the server says that it ended well; \`redis-check-rdb\` over its file; ${SEAL}`,
  };
}

/** Nothing looks at what it stores. */
export function bgsaveUnchecked(peers: Peers, server: BenchRedis): Contender {
  const about = { name: 'bgsave_unchecked', works, isChecked: false };
  return {
    ...sealed(peers, server, about, (_, seal) => [...save(server), seal(rdbOf(server))]),
    options: 'as bgsave, **nothing checked**',
  };
}

function rdbOf(server: BenchRedis): string {
  return path.join(server.directory, 'dump.rdb');
}

function save(server: BenchRedis): string[] {
  const cli = (...words: string[]) => quoted([server.bin('cli'), '-s', server.socket, ...words]);
  const says = (line: string) => `${cli('INFO', 'persistence')} | grep ^${line} > /dev/null`;
  return [
    cli('BGSAVE'),
    `until ${says('rdb_bgsave_in_progress:0')}; do sleep 0.05; done`,
    says('rdb_last_bgsave_status:ok'),
  ];
}
