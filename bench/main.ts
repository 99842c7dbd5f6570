// The benches: `npm run bench -- vault`, `… -- postgres`, `… -- redis`. Each writes its report as a page and as data, and prints the page.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail, isHoldfastError } from '../src/errors/index.ts';
import { listenForInterrupts } from './lib/interrupt.ts';
import type { CommonOptions } from './lib/options.ts';
import { parseOptions as parsePostgresOptions, usage as postgresUsage } from './postgres/options.ts';
import { renderPostgres } from './postgres/report.ts';
import { runPostgres } from './postgres/run.ts';
import { parseOptions as parseRedisOptions, usage as redisUsage } from './redis/options.ts';
import { renderRedis } from './redis/report.ts';
import { runRedis } from './redis/run.ts';
import { renderGrowth, runGrowth } from './vault/growth.ts';
import { parseOptions, usage } from './vault/options.ts';
import { renderVault } from './vault/report.ts';
import { runVault } from './vault/run.ts';

interface Report {
  readonly bench: string;
  readonly at: string;
  readonly isNoisy: boolean;
}

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  async vault(args) {
    const options = parseOptions(args);
    if (options.growth) {
      const result = await runGrowth(options);
      await publish(options, result, renderGrowth(result));
    } else {
      const result = await runVault(options);
      await publish(options, result, renderVault(result));
    }
  },
  async postgres(args) {
    const options = parsePostgresOptions(args);
    const result = await runPostgres(options);
    await publish(options, result, renderPostgres(result));
  },
  async redis(args) {
    const options = parseRedisOptions(args);
    const result = await runRedis(options);
    await publish(options, result, renderRedis(result));
  },
};

async function main([name, ...args]: readonly string[]): Promise<void> {
  const bench = benches[name ?? ''];
  if (bench === undefined)
    fail('USAGE', `there is no bench '${name ?? ''}'`, { hint: [usage, postgresUsage, redisUsage].join('\n') });
  await bench(args);
}

/** A noisy run's report has a name that is never committed. */
async function publish(options: CommonOptions, result: Report, page: string): Promise<void> {
  const name = `${result.at.slice(0, 10)}-${result.bench}${result.isNoisy ? '-noisy' : ''}`;
  const file = path.join(options.results, name);
  await mkdir(options.results, { recursive: true });
  await writeFile(`${file}.md`, page);
  await writeFile(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(page);
  options.say(`the report is in ${file}.md and .json`);
}

listenForInterrupts();
await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!isHoldfastError(error)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n  hint: ${error.hint}\n`);
  process.exitCode = error.code === 'USAGE' ? 2 : 1;
});
