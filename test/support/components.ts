// Real servers for one test: started when asked for, their logs kept for a failure, stopped and removed with the test.

import path from 'node:path';
import { after } from 'node:test';
import {
  type PostgresOptions,
  type PostgresServer,
  type S3Server,
  type SeaweedOptions,
  startPostgres,
  startSeaweed,
  startTemporal,
} from '../../src/sandbox/index.ts';
import { keepLog } from './keep-log.ts';
import { type S3ServerOptions, startMinistack, startMoto, startVersitygw } from './s3-servers.ts';
import { temporaryDirectory } from './temporary.ts';

/** A test, or `{ after }` of node:test for a server that all tests of a file share. */
type Scope = { after(fn: () => Promise<void>): void };

/** For servers that all tests of a file share. */
export const wholeFile: Scope = { after: (fn) => after(fn) };

/** A PostgreSQL server of its own; default: the newest major. */
export async function testPostgres(t: Scope, options: Omit<PostgresOptions, 'dir'> = {}): Promise<PostgresServer> {
  const dir = await temporaryDirectory(t);
  const logFile = path.join(dir, `postgres-${options.major ?? 'newest'}.log`);
  await keepLog(logFile);
  const server = await startPostgres({ dir: path.join(dir, 'postgres'), logFile, ...options });
  t.after(() => server.stop('immediate'));
  return server;
}

/** An S3 region of its own. */
export async function testS3(t: Scope, options: Partial<Omit<SeaweedOptions, 'dir'>> = {}): Promise<S3Server> {
  const dir = await temporaryDirectory(t);
  const region = options.region ?? 'eu-central-1';
  const logFile = path.join(dir, `s3-${region}.log`);
  await keepLog(logFile);
  const server = await startSeaweed({ dir, logFile, ...options, region });
  t.after(() => server.stop());
  return server;
}

/** A server of versitygw of its own: the second implementation of S3. */
export async function testVersitygw(t: Scope): Promise<S3Server> {
  return testServer(t, 'versitygw', startVersitygw);
}

/** A server of ministack of its own: what only AWS has. */
export async function testMinistack(t: Scope): Promise<S3Server> {
  return testServer(t, 'ministack', startMinistack);
}

/** A server of moto of its own: a KMS that notices tampering. */
export async function testMoto(t: Scope): Promise<S3Server> {
  return testServer(t, 'moto', startMoto);
}

async function testServer(
  t: Scope,
  name: string,
  start: (options: S3ServerOptions) => Promise<S3Server>,
): Promise<S3Server> {
  const dir = await temporaryDirectory(t);
  const logFile = path.join(dir, `${name}.log`);
  await keepLog(logFile);
  const server = await start({ dir, logFile });
  t.after(() => server.stop());
  return server;
}

/**
 * Address of the Temporal server that all tests of the run share: `npm test` starts it. A file that is run by hand gets one
 * for itself. Tests use estates and queues of their own, so that they never meet.
 */
export async function testTemporal(t: Scope = wholeFile): Promise<string> {
  const shared = process.env.HOLDFAST_TEST_TEMPORAL;
  if (shared !== undefined) return shared;
  const server = await startTemporal({ dir: await temporaryDirectory(t), withUi: false });
  t.after(() => server.stop());
  return server.address;
}
