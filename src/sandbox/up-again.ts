// Starts again what is down of a sandbox whose servers were all up once: each part on its own data, ports and credentials; what runs is left alone.

import { HoldfastError, toHoldfastError } from '../errors/index.ts';
import { journalStates } from '../postgres/recovery/index.ts';
import { findPostmaster } from '../postgres/recovery/postmaster.ts';
import { findParts } from './find-processes.ts';
import { placeOf } from './part.ts';
import { launchPostgres } from './postgres.ts';
import { startSeaweedAgain } from './seaweed.ts';
import { type Sandbox, type SandboxPart, SandboxRecord } from './state.ts';
import { startTemporalAgain } from './temporal.ts';
import { setUpVault, startWorkerOf } from './worker-part.ts';

export interface UpAgainOptions {
  /** Of one that was taken down: whether it is to have a worker; default true. One that is up keeps what it has. */
  readonly worker?: boolean;
  readonly onProgress?: (text: string) => void;
}

/** Every part but the worker. */
const servers = ['temporal', 'postgres', 's3-eu', 's3-us'] as const;
type Server = (typeof servers)[number];

/** What `up` gives: the sandbox, with the restore that its database server was left to, where there is one. */
export interface SandboxUp extends Sandbox {
  /** The server is down: this run is in the middle of exchanging its data, and starts it at the end. */
  readonly postgresLeftTo?: string;
}

/**
 * Returns when everything answers, but for a database server that is left to a restore (`postgresLeftTo`). Throws, with each part and its log,
 * when some cannot be started; the others are, and stay.
 */
export async function upAgain(sandbox: Sandbox, options: UpAgainOptions): Promise<SandboxUp> {
  const { onProgress = () => undefined } = options;
  const wasReady = sandbox.state === 'ready';
  const hasWorker = wasReady ? sandbox.pids.worker !== undefined : (options.worker ?? true);
  const runs = await running(sandbox);
  const record = new SandboxRecord(sandbox);
  const down = servers.filter((part) => !runs.has(part));
  const postgresLeftTo = await startServersAgain(down, record, onProgress);
  if (hasWorker && !runs.has('worker')) {
    await naming('worker', sandbox, async () => {
      // It asks the database; where a restore is under way there, the vault was made long ago.
      if (!wasReady && postgresLeftTo === undefined) await setUpVault(sandbox, onProgress);
      await startWorkerOf(record, onProgress);
    });
  }
  if (!wasReady || record.current !== sandbox) await record.update({ state: 'ready' });
  const now = record.current as Sandbox;
  return postgresLeftTo === undefined ? now : { ...now, postgresLeftTo };
}

/** Tries all of them. Returns the restore that the database server is left to. */
async function startServersAgain(
  down: readonly Server[],
  record: SandboxRecord,
  onProgress: (text: string) => void,
): Promise<string | undefined> {
  const starts = await Promise.allSettled(down.map((part) => startAgain(part, record, onProgress)));
  const failures = starts.flatMap((start) => (start.status === 'rejected' ? [toHoldfastError(start.reason)] : []));
  if (failures[0] !== undefined) {
    const { code, hint } = failures[0];
    throw new HoldfastError(code, failures.map(({ message }) => message).join('\n'), { hint, cause: failures[0] });
  }
  return starts.flatMap((start) => (start.status === 'fulfilled' ? (start.value ?? []) : []))[0];
}

/** The database server by its own pid file: after a restore in place another one than was recorded runs there. */
async function running({ directory, pids, postgres }: Sandbox): Promise<ReadonlySet<string>> {
  const found = await findParts(directory, pids);
  const parts = new Set(found.map(({ part }) => part));
  parts.delete('postgres');
  if ((await findPostmaster(postgres.dataDirectory)) !== undefined) parts.add('postgres');
  return parts;
}

async function startAgain(
  part: Server,
  record: SandboxRecord,
  onProgress: (text: string) => void,
): Promise<string | undefined> {
  const sandbox = record.current as Sandbox;
  return await naming(part, sandbox, async () => {
    const restore = part === 'postgres' ? await restoreInTheMiddle(sandbox) : undefined;
    if (restore !== undefined) {
      onProgress(`postgres stays down: ${restore} is in the middle of exchanging its data, and starts it at the end`);
      return restore;
    }
    const where = await placeOf(record, part);
    await starters[part](where, sandbox);
    onProgress(`${part} was down and answers again`);
    return undefined;
  });
}

/** Half of an exchange must not be started by anybody else. */
async function restoreInTheMiddle({ postgres }: Sandbox): Promise<string | undefined> {
  const states = await journalStates(postgres.dataDirectory);
  return states.find(({ phase }) => phase === 'swapping' || phase === 'rolling back')?.run;
}

type Start = (where: Awaited<ReturnType<typeof placeOf>>, sandbox: Sandbox) => Promise<unknown>;

const starters: Readonly<Record<Server, Start>> = {
  temporal: (where, { temporal }) => startTemporalAgain({ ...where, persistent: true }, temporal),
  postgres: (where, { postgres }) => launchPostgres(where, postgres),
  's3-eu': (where, { copies }) => startSeaweedAgain({ ...where, region: copies.eu.region }),
  's3-us': (where, { copies }) => startSeaweedAgain({ ...where, region: copies.us.region }),
};

/** An error that says which part it is about, and what is left to do. */
async function naming<T>(part: SandboxPart, { directory }: Sandbox, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = toHoldfastError(error);
    throw new HoldfastError(
      code,
      `'${part}' of the sandbox in '${directory}' is down and cannot be started again: ${message}`,
      {
        hint: `mend that and type the same again, or give the sandbox up: \`holdfast sandbox down --dir ${directory}\`, then remove the directory`,
        cause: error,
      },
    );
  }
}
