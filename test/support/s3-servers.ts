// Two more S3 servers on loopback, only for tests: versitygw, a second implementation, and ministack, which plays what only AWS has.

import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ListBucketsCommand } from '@aws-sdk/client-s3';
import type { S3Server } from '../../src/sandbox/index.ts';
import { reservePorts } from '../../src/sandbox/ports.ts';
import { s3Access, withClient } from '../../src/sandbox/s3-access.ts';
import { type ServerOptions, type ServerStart, startServer, stopServer } from '../../src/sandbox/server.ts';

export interface S3ServerOptions extends ServerOptions {
  readonly region?: string;
}

export interface TestComponents {
  readonly versitygw: { readonly path: string };
  /** `path` is for PYTHONPATH. */
  readonly ministack: { readonly path: string; readonly python: string };
  readonly moto: { readonly path: string; readonly python: string };
  /** `libraries` is for LD_LIBRARY_PATH. */
  readonly sshd: { readonly path: string; readonly libraries: string };
}

/** What the set-up wrote; the same rule for the cache as in scripts/set-up/cache.mjs. */
export async function findTestComponents(): Promise<TestComponents> {
  const userCache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  const ofUser = process.getuid?.() === 0 ? '/var/cache/holdfast' : path.join(userCache, 'holdfast');
  const file = path.join(process.env.HOLDFAST_CACHE || ofUser, 'test-components.json');
  return JSON.parse(await readFile(file, 'utf8'));
}

/** Keeps each bucket in a directory. Its older versions lie in a directory beside. */
export async function startVersitygw(options: S3ServerOptions): Promise<S3Server> {
  const { versitygw } = await findTestComponents();
  const folder = (name: string) => path.join(path.resolve(options.dir), name);
  for (const name of ['root', 'versions', 'iam']) await mkdir(folder(name), { recursive: true });
  return startS3(options, 'versitygw', ({ port, region, accessKeyId, secretAccessKey }) => ({
    command: versitygw.path,
    args: [
      ...['--port', `127.0.0.1:${port}`, '--region', region, '--iam-dir', folder('iam'), '--keep-alive', '--quiet'],
      ...['posix', '--versioning-dir', folder('versions'), folder('root')],
    ],
    env: { ROOT_ACCESS_KEY_ID: accessKeyId, ROOT_SECRET_ACCESS_KEY: secretAccessKey },
  }));
}

/** Keeps everything in memory. */
export async function startMinistack(options: S3ServerOptions): Promise<S3Server> {
  const { ministack } = await findTestComponents();
  return startS3(options, 'ministack', ({ port, region }) => ({
    command: ministack.python,
    args: ['-m', 'ministack'],
    env: {
      PYTHONPATH: ministack.path,
      PYTHONDONTWRITEBYTECODE: '1',
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: region,
      SERVICES: 's3,kms,sts,iam',
      TMPDIR: path.resolve(options.dir),
      STATE_DIR: path.join(path.resolve(options.dir), 'state'),
      LOG_LEVEL: 'WARNING',
    },
  }));
}

/** A KMS that refuses tampered ciphertexts; its S3 is not to be relied on. */
export async function startMoto(options: S3ServerOptions): Promise<S3Server> {
  const { moto } = await findTestComponents();
  return startS3(options, 'moto', ({ port }) => ({
    command: moto.python,
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    env: { PYTHONPATH: moto.path, PYTHONDONTWRITEBYTECODE: '1', TMPDIR: path.resolve(options.dir) },
  }));
}

interface Chosen {
  readonly port: number;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function startS3(
  options: S3ServerOptions,
  name: string,
  program: (chosen: Chosen) => Pick<ServerStart, 'command' | 'args' | 'env'>,
): Promise<S3Server> {
  const { dir, region = 'eu-central-1' } = options;
  await mkdir(dir, { recursive: true });
  const logFile = options.logFile ?? path.join(dir, 'server.log');
  const reservation = await reservePorts(1);
  const port = reservation.ports[0] as number;
  const accessKeyId = `AK${randomBytes(9).toString('hex').toUpperCase()}`;
  const secretAccessKey = randomBytes(20).toString('hex');
  const access = s3Access({ endpoint: `http://127.0.0.1:${port}`, region, accessKeyId, secretAccessKey });
  const probe = () => withClient(access.client(), async (s3) => void (await s3.send(new ListBucketsCommand())));
  const { outlive, onSpawn } = options;
  const launch = () =>
    startServer({ name, logFile, outlive, onSpawn, probe, ...program({ port, region, accessKeyId, secretAccessKey }) });
  let child = await launch();
  reservation.release();
  return {
    ...access,
    logFile,
    get identity() {
      return child.identity;
    },
    stop: () => stopServer(child.identity, { signal: 'SIGKILL', graceMs: 30_000 }),
    start: async () => {
      child = await launch();
    },
  };
}
