// Whether a restored server holds what the source held: the server's own digest over every key and value.

import { mkdir } from 'node:fs/promises';
import { fail } from '../../src/errors/index.ts';
import { run } from '../../src/process/index.ts';
import { interrupted } from '../lib/interrupt.ts';
import { BenchRedis } from './server.ts';

/** Keys, and `DEBUG DIGEST` over names, values and which of them expire. Throws `CHECK_FAILED` for a server without keys: nothing would be compared. */
export async function digestOf(server: BenchRedis): Promise<string> {
  const keys = await server.keys();
  if (keys === 0) fail('CHECK_FAILED', 'the server has no keys: nothing was compared');
  return `${keys} keys, ${(await server.cli('DEBUG', 'DIGEST')).trim()}`;
}

/**
 * Of a server that does not tell its own, as one that is restored rightly does not: a third one, made in `directory`, loads what it sends to a
 * replica. `socket`: of the restored one.
 */
export async function digestByCopy(source: BenchRedis, socket: string, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  await run(source.bin('cli'), ['-s', socket, '--rdb', `${directory}/dump.rdb`], { signal: interrupted });
  const judge = await BenchRedis.start(source.programs, directory);
  try {
    return await digestOf(judge);
  } finally {
    await judge.remove();
  }
}

/** Throws `CHECK_FAILED`: a restore that is not the original is no result, however fast. */
export function requireSameDigest(expected: string, actual: string, who: string): void {
  if (expected === actual) return;
  fail('CHECK_FAILED', `what ${who} restored is not the original: ${actual}, expected ${expected}`);
}
