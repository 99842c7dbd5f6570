// Holdfast on one directory, by the driver beside it, compiled as a package is: its engine and its restore, without Temporal.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../../src/errors/index.ts';
import { run } from '../../../src/process/index.ts';
import { compileHoldfast, describeHoldfast } from '../../lib/holdfast.ts';
import type { Peers } from '../../lib/peers.ts';
import { type Contender, type Place, type Work, works } from '../contender.ts';
import type { BenchRedis } from '../server.ts';

let driver: Promise<string[]> | undefined;

export async function holdfast(_peers: Peers, server: BenchRedis): Promise<Contender> {
  driver ??= compileHoldfast('redis');
  return holdfastBy(await driver, await describeHoldfast(), server);
}

/** The other way of a capture, which is all that it takes part in. */
export async function holdfastBgsave(_peers: Peers, server: BenchRedis): Promise<Contender> {
  driver ??= compileHoldfast('redis');
  const own = { name: 'holdfast_bgsave', way: 'bgsave', works: ['capture'] } as const;
  return {
    ...holdfastBy(await driver, await describeHoldfast(), server, own),
    options: 'as holdfast, of the file that the server saves by itself',
  };
}

interface Variant {
  readonly name: string;
  readonly way: 'sync' | 'bgsave';
  readonly works: readonly Work[];
}

/** `driver`: the words that start it. */
export function holdfastBy(
  driver: readonly string[],
  version: string,
  server: BenchRedis,
  { name, way, works: own }: Variant = { name: 'holdfast', way: 'sync', works },
): Contender {
  const words = (operation: string, { home, target }: Place) => [
    ...[...driver, operation, '--config', `${home}/holdfast.yaml`, '--home', home, '--target', target],
  ];
  return {
    name,
    version,
    options:
      'zstd 3, AES-256-GCM, one copy in a directory, every object synced before the manifest names it; by synchronisation; `redis-check-rdb` and its own walk over what streams by, the copy looked at again after the commit; a restore is checked by `redis-check-rdb`, and the server that has loaded it is compared with the facts of the capture; no Temporal: plan and restore as in the workflow, under the lease',
    isChecked: true,
    works: own,
    async prepare(place) {
      for (const directory of Object.values(place)) await mkdir(directory, { recursive: true });
      await writeFile(path.join(place.home, 'url'), server.url, { mode: 0o600 });
      await writeFile(path.join(place.home, 'holdfast.yaml'), configuration(place, server, { name, way }));
      const [program, ...args] = words('setup', place);
      await run(program as string, args);
    },
    command: (work, place) => ({ argv: words(work, place), cwd: '/', env: {} }),
    restored: async ({ home }) => {
      const { connection } = JSON.parse(await readFile(path.join(home, 'restored.json'), 'utf8'));
      return String(connection ?? fail('CHECK_FAILED', 'no server was left running')).replace('unix://', '');
    },
    steps: async ({ home }) => JSON.parse(await readFile(path.join(home, 'steps.json'), 'utf8')),
  };
}

function configuration(
  { repository, home }: Place,
  { programs }: BenchRedis,
  { name, way }: Pick<Variant, 'name' | 'way'>,
): string {
  return `name: ${name.replace('_', '-')}
timezone: UTC
sites: { home: {} }
hosts: { here: { site: home, stateDirectory: ${home}/state } }
vault:
  keys: [{ name: host, file: ${home}/key }]
  copies: { local: { file: ${repository}, site: home, medium: disk } }
  commit: { copies: 1, offsite: 0 }
redis:
  main:
    host: here
    url: file:${home}/url
    programs: ${programs.bindir}
    backup: { rdb: every 2h, way: ${way} }
`;
}
