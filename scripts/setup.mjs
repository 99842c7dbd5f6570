// Brings a machine to the point where the quickstart and the tests can run, and records what it found.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  cacheDirectory,
  componentsFile,
  lockCache,
  readComponents,
  testComponentsFile,
  writeComponents,
} from './set-up/cache.mjs';
import { ensureSystemTools } from './set-up/debian-packages.mjs';
import { ensureMinistack } from './set-up/ministack.mjs';
import { ensureMoto } from './set-up/moto.mjs';
import { ensureNodeModules, findPinnedNode } from './set-up/node-modules.mjs';
import { ensureSshd } from './set-up/openssh.mjs';
import { ensurePostgres } from './set-up/postgres.mjs';
import { ensureRedis } from './set-up/redis.mjs';
import { elapsed, SetUpError, say, step } from './set-up/report.mjs';
import { ensureSeaweed } from './set-up/seaweed.mjs';
import { ensureTemporal } from './set-up/temporal.mjs';
import { ensureVersitygw } from './set-up/versitygw.mjs';

export const repositoryRoot = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const describe = ({ version, source }) => `${version} (${source})`;
const describeMajors = (majors) => Object.values(majors).map(describe).join(', ');

async function findComponents(purpose) {
  const node = step(
    'node_modules',
    async (note) => {
      const done = await ensureNodeModules(repositoryRoot, note);
      return { done, node: await findPinnedNode(repositoryRoot) };
    },
    (result) => `${result.done}, Node ${result.node.version}`,
  ).then((result) => result.node);
  const nodePath = async () => (await node).path;
  const forTests = purpose === 'test';
  const steps = {
    node,
    temporal: step('temporal', (note) => ensureTemporal(nodePath, note), describe),
    postgres: step('postgresql', (note) => ensurePostgres([15, 17, 18], !forTests, note), describeMajors),
    weed: step('seaweedfs', ensureSeaweed, describe),
    ...(forTests && {
      versitygw: step('versitygw', ensureVersitygw, describe),
      ministack: step('ministack', ensureMinistack, describe),
      moto: step('moto', ensureMoto, describe),
      redis: step('redis', ensureRedis, describeMajors),
      sshd: step('sshd', ensureSshd, describe),
    }),
  };
  const parts = await Promise.allSettled(Object.values(steps));
  const failed = parts.filter((part) => part.status === 'rejected').map((part) => part.reason);
  if (failed.length > 0) throw failed.length === 1 ? failed[0] : new AggregateError(failed, 'several steps failed');
  return Object.fromEntries(Object.keys(steps).map((name, index) => [name, parts[index].value]));
}

/**
 * Idempotent: does only what is missing, and proves each program by starting it.
 * @param {'quickstart' | 'test'} purpose the tests need every major of PostgreSQL and every S3 server, the quickstart any one
 * @returns {Promise<{ node: object, temporal: object, postgres: Record<string, object>, weed: object, versitygw?: object, ministack?: object, moto?: object, redis?: object, sshd?: object }>}
 *   what is also written to components.json (and test-components.json) in the cache: a path (or `bindir`), a version and a source for each
 */
export async function setUp(purpose) {
  const startedAt = performance.now();
  const unlock = await lockCache();
  try {
    await ensureSystemTools(purpose);
    const components = await findComponents(purpose);
    const { versitygw, ministack, moto, redis, sshd, ...forAll } = components;
    await writeComponents(componentsFile(), forAll);
    if (purpose === 'test') await writeComponents(testComponentsFile(), { versitygw, ministack, moto, redis, sshd });
    say('ready', `everything is there, see ${componentsFile()}  (${elapsed(startedAt)})`);
    return components;
  } finally {
    unlock();
  }
}

/** Prints why the set-up stopped, with what to run instead, and ends the program. */
export function explainAndExit(error) {
  for (const cause of error instanceof AggregateError ? error.errors : [error]) {
    process.stderr.write(`set-up failed: ${cause instanceof SetUpError ? cause.message : (cause.stack ?? cause)}\n`);
    if (cause instanceof SetUpError) process.stderr.write(`  hint: ${cause.remedy}\n`);
  }
  process.exit(1);
}

async function check() {
  const components = await readComponents();
  const paths = components && [
    components.node.path,
    components.temporal.path,
    components.weed.path,
    ...Object.values(components.postgres).map((major) => path.join(major.bindir, 'postgres')),
  ];
  const missing = paths?.filter((file) => !existsSync(file));
  process.stdout.write(`${JSON.stringify({ cache: cacheDirectory(), missing, components }, null, 2)}\n`);
  process.exitCode = missing?.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [option] = process.argv.slice(2);
  if (option === '--check') await check();
  else await setUp(option === '--quickstart' ? 'quickstart' : 'test').catch(explainAndExit);
}
