// The check of a component of Redis: the server answers, may be captured by our user, and there are programs that read what it writes.

import { type RedisSettings, resolveSecret } from '../../config/index.ts';
import type { CheckResult } from '../domain/setup-report.ts';
import { toHoldfastError } from '../errors/index.ts';
import { findTools, identify, RedisConnection, requireStandalone, requireSynchronising } from '../redis/index.ts';

export async function checkRedis({ url, caFile, programs, way }: RedisSettings): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const check = async (name: string, work: () => Promise<string>): Promise<boolean> => {
    try {
      results.push({ name, ok: true, message: await work() });
      return true;
    } catch (error) {
      const { message, hint } = toHoldfastError(error);
      results.push({ name, ok: false, message, hint });
      return false;
    }
  };
  let connection: RedisConnection | undefined;
  try {
    const answers = await check('server', async () => {
      connection = await RedisConnection.open({
        url: await resolveSecret(url),
        ...(caFile === undefined ? {} : { caFile }),
      });
      const identity = await identify(connection);
      requireStandalone(identity, connection.where);
      return `${connection.where} is ${identity.flavour} ${identity.version}, a ${identity.role}`;
    });
    const open = connection;
    if (!answers || open === undefined) return results;
    await check('programs', async () => {
      const tools = await findTools(await identify(open), programs === undefined ? {} : { programs });
      return `${tools.server} ${tools.version} reads what it writes`;
    });
    if (way === 'sync') {
      await check('permission', async () => {
        await requireSynchronising(open);
        return 'our user may synchronise as a replica does';
      });
    }
    return results;
  } finally {
    connection?.close();
  }
}
