// An estate whose one component is a Redis server, on real components with a worker in this process.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestRedis, testRedis } from './redis-server.ts';
import { type OpenEstate, openEstate } from './temporal-estate.ts';

type Scope = { after(fn: () => Promise<void>): void };

export interface RedisEstate extends OpenEstate {
  readonly server: TestRedis;
  /** Fields that every input carries. */
  readonly input: { estate: string; component: 'redis/cache'; host: string; digest: string; by: string };
}

export const PASSWORD = 'only-for-the-test';

export async function redisEstate(t: Scope, settings: readonly string[] = []): Promise<RedisEstate> {
  let made: TestRedis | undefined;
  const estate = await openEstate(t, {}, async (directory) => {
    const server = await testRedis(t, { kind: 'redis8', settings });
    made = server;
    await server.cli('ACL', 'SETUSER', 'holdfast', 'on', `>${PASSWORD}`, 'allkeys', 'allchannels', '+@all');
    const users = path.join(directory, 'user.conf');
    await writeFile(users, `user holdfast on >${PASSWORD} allkeys allchannels +@all\n`);
    return {
      components: redisText(server, users),
      secrets: { 'redis-url': `unix://${server.socket}?username=holdfast&password=${PASSWORD}` },
      // A restore into the stopped server starts one that is not a child of ours.
      end: async () => void (await server.cli('SHUTDOWN', 'NOSAVE').catch(() => undefined)),
    };
  });
  const { name, digest } = estate.configuration;
  const input = { estate: name, component: 'redis/cache', host: 'here', digest, by: 'test@here' } as const;
  return { ...estate, server: made as TestRedis, input };
}

function redisText({ programs, socket, configuration, dataDirectory, flavour }: TestRedis, users: string): string {
  const program = (name: string) => path.join(programs, `${flavour}-${name}`);
  const startCommand = `${program('server')} ${configuration} --include ${users} --daemonize yes`;
  return `redis:
  cache:
    host: here
    url: file:secrets/redis-url
    programs: ${programs}
    dataDirectory: ${dataDirectory}
    service: { commands: { start: "${startCommand}", stop: "${program('cli')} -s ${socket} shutdown save" } }
    backup: { rdb: "every 2h", aof: "every 15min" }
    keep: { rdb: 30d, aof: 7d }
    objective: { rpo: 2h }
`;
}
