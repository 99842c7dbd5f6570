// A real S3 server on loopback that stands for one region.

import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { findComponents } from './components.ts';
import { reservePorts } from './ports.ts';
import { type S3Access, s3Access, withClient } from './s3-access.ts';
import { type SandboxServer, type ServerOptions, startServer, stopServer } from './server.ts';

export interface SeaweedOptions extends ServerOptions {
  readonly region: string;
  /** Made at the start. */
  readonly buckets?: readonly string[];
}

export interface S3Server extends SandboxServer, S3Access {
  /** Ends it at once, as a power cut would; what was stored stays. */
  stop(): Promise<void>;
  /** Starts it again on the same data and ports. */
  start(): Promise<void>;
}

/** Starts SeaweedFS with an identity of its own. Takes about 4 s, now and then 9. */
export async function startSeaweed(options: SeaweedOptions): Promise<S3Server> {
  const { weed } = await findComponents();
  const { dir, region } = options;
  const logFile = options.logFile ?? path.join(dir, 'server.log');
  await mkdir(path.join(dir, 'data'), { recursive: true });
  // Its own log files go to the temporary directory, one set for each start.
  await mkdir(path.join(dir, 'tmp'), { recursive: true });
  const accessKeyId = `AK${randomBytes(9).toString('hex').toUpperCase()}`;
  const secretAccessKey = randomBytes(20).toString('hex');
  const identities = path.join(dir, 'identities.json');
  await writeFile(identities, identitiesJson(accessKeyId, secretAccessKey), { mode: 0o600 });
  const reservation = await reservePorts(4, { companion: true });
  const { ports } = reservation;
  const endpoint = `http://127.0.0.1:${ports[3]}`;
  const access = s3Access({ endpoint, region, accessKeyId, secretAccessKey });
  const keyEncryptionKey = randomBytes(32).toString('hex');

  const launch = async () => {
    await removeSockets(ports);
    return startServer({
      name: `SeaweedFS (${region})`,
      command: weed.path,
      args: serverArguments(dir, identities, ports),
      logFile,
      outlive: options.outlive,
      onSpawn: options.onSpawn,
      env: { ...options.env, TMPDIR: path.join(dir, 'tmp'), WEED_S3_SSE_KEK: keyEncryptionKey },
      probe: () => withClient(access.client(), storeAndDelete),
    });
  };
  let child = await launch();
  reservation.release();
  for (const bucket of options.buckets ?? []) await access.createBucket(bucket);
  return {
    ...access,
    logFile,
    get identity() {
      return child.identity;
    },
    stop: async () => {
      // SIGTERM would take up to 25 s, and a store that dies is what we want to stand up to.
      await stopServer(child.identity, { signal: 'SIGKILL', graceMs: 30_000 });
      await removeSockets(ports);
    },
    start: async () => {
      child = await launch();
    },
  };
}

function serverArguments(dir: string, identities: string, ports: readonly number[]): string[] {
  const [master, volume, filer, s3] = ports as [number, number, number, number];
  const grpc = (port: number) => port + 10_000;
  return [
    'server',
    `-dir=${path.join(dir, 'data')}`,
    ...['-ip=127.0.0.1', '-ip.bind=127.0.0.1', '-master.telemetry=false'],
    ...[`-master.port=${master}`, `-master.port.grpc=${grpc(master)}`],
    ...[`-volume.port=${volume}`, `-volume.port.grpc=${grpc(volume)}`],
    ...['-filer', `-filer.port=${filer}`, `-filer.port.grpc=${grpc(filer)}`],
    ...['-s3', `-s3.port=${s3}`, `-s3.port.grpc=${grpc(s3)}`, `-s3.config=${identities}`],
    // Alone as it is, it needs no 10 s to see that nobody else wants to lead.
    ...['-master.resumeState', '-master.electionTimeout=200ms', '-master.heartbeatInterval=50ms'],
    // Their default ports are the same in every instance.
    ...['-s3.port.iceberg=0', '-s3.port.lance=0'],
    // Every bucket opens several volumes, which are files that grow: many small ones serve many buckets.
    ...['-volume.max=1000', '-master.volumeSizeLimitMB=128'],
  ];
}

function identitiesJson(accessKey: string, secretKey: string): string {
  const identity = {
    name: 'sandbox',
    credentials: [{ accessKey, secretKey }],
    actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
  };
  return JSON.stringify({ identities: [identity] });
}

/** It listens before it can store: only a stored object tells that it is ready. */
async function storeAndDelete(s3: S3Client): Promise<void> {
  const where = { Bucket: 'sandbox-ready', Key: 'ready' };
  await s3.send(new CreateBucketCommand({ Bucket: where.Bucket })).catch((error: Error) => {
    if (!['BucketAlreadyExists', 'BucketAlreadyOwnedByYou'].includes(error.name)) throw error;
  });
  await s3.send(new PutObjectCommand({ ...where, Body: 'ready' }));
  await s3.send(new DeleteObjectCommand(where));
}

/** SeaweedFS puts its sockets there whatever TMPDIR says, and leaves them when it is killed. The names hold its ports. */
export async function removeSockets(ports: readonly number[]): Promise<void> {
  for (const port of ports.flatMap((base) => [base, base + 10_000])) {
    for (const part of ['master', 'volume', 'filer', 's3']) {
      for (const name of [`${part}-${port}`, `${part}-grpc-${port}`])
        await rm(`/tmp/seaweedfs-${name}.sock`, { force: true });
    }
  }
}
