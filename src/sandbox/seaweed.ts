// A real S3 server on loopback that stands for one region.

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { fail } from '../errors/index.ts';
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

/** What a store must be started with again, so that its endpoint and its data stay what they are. */
interface StoreFacts {
  /** Of master, volume, filer and S3. */
  readonly ports: readonly number[];
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly keyEncryptionKey: string;
}

/** Starts SeaweedFS with an identity of its own. Takes about 4 s, now and then 9. */
export async function startSeaweed(options: SeaweedOptions): Promise<S3Server> {
  const { dir } = options;
  await mkdir(path.join(dir, 'data'), { recursive: true });
  // Its own log files go to the temporary directory, one set for each start.
  await mkdir(path.join(dir, 'tmp'), { recursive: true });
  const reservation = await reservePorts(4, { companion: true });
  const facts: StoreFacts = {
    ports: reservation.ports,
    accessKeyId: `AK${randomBytes(9).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('hex'),
    keyEncryptionKey: randomBytes(32).toString('hex'),
  };
  await writeFile(identitiesFile(dir), identitiesJson(facts), { mode: 0o600 });
  await writeFile(factsFile(dir), `${JSON.stringify(facts)}\n`, { mode: 0o600 });
  const server = await serve(options, facts);
  reservation.release();
  for (const bucket of options.buckets ?? []) await server.createBucket(bucket);
  return server;
}

/** One that was started in `dir` and has ended: the same data, ports and credentials. Throws `NOT_FOUND` when there is none. */
export async function startSeaweedAgain(options: Omit<SeaweedOptions, 'buckets'>): Promise<S3Server> {
  const facts = await readFacts(options.dir);
  return await serve(
    options,
    facts ?? fail('NOT_FOUND', `'${factsFile(options.dir)}' is not there, which says with what the store was started`),
  );
}

async function serve(options: SeaweedOptions, facts: StoreFacts): Promise<S3Server> {
  const { weed } = await findComponents();
  const { dir, region } = options;
  const { ports, accessKeyId, secretAccessKey, keyEncryptionKey } = facts;
  const logFile = options.logFile ?? path.join(dir, 'server.log');
  const endpoint = `http://127.0.0.1:${ports[3]}`;
  const access = s3Access({ endpoint, region, accessKeyId, secretAccessKey });
  const launch = async () => {
    await removeSockets(ports);
    return startServer({
      name: `SeaweedFS (${region})`,
      command: weed.path,
      args: serverArguments(dir, ports),
      logFile,
      outlive: options.outlive,
      onSpawn: options.onSpawn,
      env: { ...options.env, TMPDIR: path.join(dir, 'tmp'), WEED_S3_SSE_KEK: keyEncryptionKey },
      probe: () => withClient(access.client(), storeAndDelete),
    });
  };
  let child = await launch();
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

const factsFile = (dir: string) => path.join(dir, 'store.json');
const identitiesFile = (dir: string) => path.join(dir, 'identities.json');

async function readFacts(dir: string): Promise<StoreFacts | undefined> {
  const text = await readFile(factsFile(dir), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as StoreFacts);
}

function serverArguments(dir: string, ports: readonly number[]): string[] {
  const [master, volume, filer, s3] = ports as [number, number, number, number];
  const grpc = (port: number) => port + 10_000;
  return [
    'server',
    `-dir=${path.join(dir, 'data')}`,
    ...['-ip=127.0.0.1', '-ip.bind=127.0.0.1', '-master.telemetry=false'],
    ...[`-master.port=${master}`, `-master.port.grpc=${grpc(master)}`],
    ...[`-volume.port=${volume}`, `-volume.port.grpc=${grpc(volume)}`],
    ...['-filer', `-filer.port=${filer}`, `-filer.port.grpc=${grpc(filer)}`],
    ...['-s3', `-s3.port=${s3}`, `-s3.port.grpc=${grpc(s3)}`, `-s3.config=${identitiesFile(dir)}`],
    // Alone as it is, it needs no 10 s to see that nobody else wants to lead.
    ...['-master.resumeState', '-master.electionTimeout=200ms', '-master.heartbeatInterval=50ms'],
    // Their default ports are the same in every instance.
    ...['-s3.port.iceberg=0', '-s3.port.lance=0'],
    // Every bucket opens several volumes, which are files that grow: many small ones serve many buckets.
    ...['-volume.max=1000', '-master.volumeSizeLimitMB=128'],
  ];
}

function identitiesJson({ accessKeyId, secretAccessKey }: StoreFacts): string {
  const identity = {
    name: 'sandbox',
    credentials: [{ accessKey: accessKeyId, secretKey: secretAccessKey }],
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

/** Of the store that was started in `dir`, however it ended. */
export async function removeSocketsOf(dir: string): Promise<void> {
  await removeSockets((await readFacts(dir))?.ports ?? []);
}

/** SeaweedFS puts its sockets there whatever TMPDIR says, and leaves them when it is killed. The names hold its ports. */
async function removeSockets(ports: readonly number[]): Promise<void> {
  const names = ports
    .flatMap((base) => [base, base + 10_000])
    .flatMap((port) =>
      ['master', 'volume', 'filer', 's3'].flatMap((part) => [`${part}-${port}`, `${part}-grpc-${port}`]),
    );
  await Promise.all(names.map((name) => removeIfDead(`/tmp/seaweedfs-${name}.sock`)));
}

/** The ports of a store that is gone may be another one's by now, and so are its sockets. */
async function removeIfDead(socket: string): Promise<void> {
  const isRefused = await new Promise<boolean>((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve(false);
    });
    connection.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (isRefused) await rm(socket, { force: true });
}
