// The data of the bench: keys of every type from a seed, about 1 GB of the server's memory at scale 1, through the client's own pipe.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fail } from '../../src/errors/index.ts';
import { start } from '../../src/process/index.ts';
import { keyCount, keys } from '../corpus/content/keys.ts';
import { interrupted } from '../lib/interrupt.ts';
import type { BenchRedis } from './server.ts';

const BYTES_AT_ONCE = 256 * 1024;

export interface CorpusFacts {
  readonly seed: string;
  readonly scale: number;
  readonly keys: number;
  /** `used_memory` of the server. */
  readonly memoryBytes: number;
}

/** For what has to be known before there is any. */
export function expectedBytes(scale: number): number {
  return 1_100_000_000 * scale + 20_000_000;
}

/** Throws `CHECK_FAILED` when the server did not take every command, or has another number of keys than there are. */
export async function loadKeys(server: BenchRedis, seed: string, scale: number): Promise<CorpusFacts> {
  const piping = await start(server.bin('cli'), ['-s', server.socket, '--pipe'], { signal: interrupted });
  const told = textOf(piping.stdout as Readable);
  if (piping.stdin !== undefined) await pipeline(Readable.from(batches(seed, scale)), piping.stdin);
  await piping.succeeded();
  if (!/errors: 0, replies: \d+/.test(await told)) fail('CHECK_FAILED', `the data was not loaded: ${await told}`);
  const [found, expected] = [await server.keys(), keyCount(scale)];
  if (found !== expected) fail('CHECK_FAILED', `the server has ${found} keys, expected ${expected}`);
  return { seed, scale, keys: found, memoryBytes: await server.info('used_memory') };
}

function* batches(seed: string, scale: number): Generator<Buffer> {
  let text = '';
  for (const command of keys(seed, scale)) {
    text += command;
    if (text.length < BYTES_AT_ONCE) continue;
    yield Buffer.from(text, 'latin1');
    text = '';
  }
  yield Buffer.from(text, 'latin1');
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
