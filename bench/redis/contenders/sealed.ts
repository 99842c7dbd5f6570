// What the peers do with an RDB once they have it: compressed and encrypted into one synced file, and from there into a server of its own.

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { quoted, shell } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import type { Contender, Place } from '../contender.ts';
import type { BenchRedis } from '../server.ts';

type Tools = Pick<Peers, 'zstd' | 'openssl'>;
/** Seals a file, or without one what comes by the pipe. */
type Seal = (rdb?: string) => string;

/** The words that both have in common; `capture`: the script of a capture, without the last sync. */
export function sealed(
  peers: Tools,
  server: BenchRedis,
  about: Pick<Contender, 'name' | 'works' | 'isChecked'>,
  capture: (place: Place, seal: Seal) => readonly string[],
): Omit<Contender, 'options'> {
  const { isChecked } = about;
  const cipher = ({ home }: Place) => ['enc', '-aes-256-ctr', '-pbkdf2', '-pass', `file:${home}/key`];
  const file = ({ repository }: Place) => `${repository}/dump.rdb.zst.enc`;
  const seal = (place: Place) => (rdb?: string) =>
    [
      quoted([...peers.zstd.argv, '-q', '-3', `-T${os.availableParallelism()}`, ...(rdb ? ['-c', rdb] : [])]),
      quoted([...peers.openssl.argv, ...cipher(place), '-out', file(place)]),
    ].join(' | ');
  const restore = (place: Place) => {
    const rdb = `${place.target}/dump.rdb`;
    return [
      `${quoted([...peers.openssl.argv, ...cipher(place), '-d', '-in', file(place)])} | ${quoted([...peers.zstd.argv, '-q', '-dc'])} > ${quoted([rdb])}`,
      `sync -f ${quoted([place.target])}`,
      ...(isChecked ? [check(server, rdb)] : []),
      ...startRestored(server, place),
    ];
  };
  return {
    ...about,
    version: `${server.programs.flavour} ${server.programs.version}, zstd ${peers.zstd.version}, openssl ${peers.openssl.version} (distribution)`,
    async prepare(place) {
      for (const directory of Object.values(place)) await mkdir(directory, { recursive: true });
      await writeFile(`${place.home}/key`, `${randomBytes(16).toString('hex')}\n`, { mode: 0o600 });
    },
    command: (work, place) => {
      const script =
        work === 'restore' ? restore(place) : [...capture(place, seal(place)), `sync -f ${quoted([place.repository])}`];
      return { argv: shell(script.join('; ')), cwd: '/', env: {} };
    },
    restored: async (place) => socketIn(place),
  };
}

export function check(server: BenchRedis, rdb: string): string {
  return quoted([server.bin('check-rdb'), rdb]);
}

function socketIn({ target }: Place): string {
  return `${target}/s`;
}

/** Until it has loaded everything and answers. */
function startRestored(server: BenchRedis, place: Place): string[] {
  const settings = {
    ...{ port: 0, unixsocket: socketIn(place), dir: place.target, save: '', appendonly: 'no' },
    ...{ logfile: `${place.target}/log`, daemonize: 'yes' },
  };
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return [
    quoted([server.bin('server'), ...words]),
    `until [ "$(${quoted([server.bin('cli'), '-s', socketIn(place), 'PING'])} 2>&1)" = PONG ]; do sleep 0.05; done`,
  ];
}
