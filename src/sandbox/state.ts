// D/sandbox.json: where everything of a sandbox is, for people, for programs, and for the `down` that follows a crash.

import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors/index.ts';
import type { ProcessIdentity } from '../process/index.ts';

export type SandboxPart = 'temporal' | 'postgres' | 's3-eu' | 's3-us' | 'worker';

export interface SandboxPostgres {
  /** As the superuser, for playing with data. */
  readonly url: string;
  /** As Holdfast's own role. */
  readonly holdfastUrl: string;
  readonly major: number;
  readonly version: string;
  readonly bindir: string;
  readonly dataDirectory: string;
  readonly port: number;
  /** User of the operating system it runs as, where that is not the one who called `up`. */
  readonly runAs?: string;
}

export interface SandboxBucket {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Sandbox {
  /** `starting` with nobody starting it: `up` was killed. Whatever it is, what runs is asked of the processes. */
  readonly state: 'starting' | 'ready' | 'stopped';
  readonly directory: string;
  /** Path of holdfast.yaml. */
  readonly configuration: string;
  readonly temporal: { readonly address: string; readonly ui: string };
  readonly postgres: SandboxPostgres;
  readonly keyFile: string;
  readonly passphraseFile: string;
  readonly copies: {
    readonly local: { readonly path: string };
    readonly eu: SandboxBucket;
    readonly us: SandboxBucket;
  };
  readonly logs: string;
  /** `null`: about to be started. With its start time a process id is one process for ever. */
  readonly pids: Readonly<Partial<Record<SandboxPart, ProcessIdentity | null>>>;
}

export type PartialSandbox = Pick<Sandbox, 'state' | 'directory' | 'pids'> & Partial<Sandbox>;

export function stateFile(directory: string): string {
  return path.join(directory, 'sandbox.json');
}

/** `undefined` when there is none. Throws when it cannot be read: what is unknown is not absent. */
export async function readSandbox(directory: string): Promise<PartialSandbox | undefined> {
  const file = stateFile(directory);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    return fail('TARGET_UNFIT', `'${file}' is not what 'sandbox up' writes`, { cause });
  }
}

/**
 * That of a directory under its real path. Throws `TARGET_UNFIT` for one that was moved or copied there: its paths, ports and processes are
 * those of another place.
 */
export async function readSandboxOf(directory: string): Promise<PartialSandbox | undefined> {
  const sandbox = await readSandbox(directory);
  if (sandbox === undefined || sandbox.directory === directory) return sandbox;
  return fail('TARGET_UNFIT', `the sandbox in '${directory}' was made in '${sandbox.directory}'`, {
    hint: `one that was moved is of use only in '${sandbox.directory}' again; a copy is of none: use the original, or start a new sandbox in an empty directory`,
    details: { directory: sandbox.directory },
  });
}

/** Collects what becomes known while the sandbox starts; every change is on disk when its promise resolves. */
export class SandboxRecord {
  #sandbox: PartialSandbox;
  #writing: Promise<void> = Promise.resolve();

  constructor(sandbox: PartialSandbox) {
    this.#sandbox = sandbox;
  }

  get current(): PartialSandbox {
    return this.#sandbox;
  }

  async update(change: Partial<Sandbox>): Promise<void> {
    this.#sandbox = { ...this.#sandbox, ...change };
    this.#writing = this.#writing.then(() => writeState(this.#sandbox));
    await this.#writing;
  }

  /** First `null`, then the process. */
  async setPid(part: SandboxPart, identity: ProcessIdentity | null): Promise<void> {
    await this.update({ pids: { ...this.#sandbox.pids, [part]: identity } });
  }
}

/** It holds credentials. */
async function writeState(sandbox: PartialSandbox): Promise<void> {
  const file = stateFile(sandbox.directory);
  await writeFile(`${file}.new`, `${JSON.stringify(sandbox, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
