// Captures of configuration for tests: a tree of files with planted secrets, a vault, and what reads the repository behind it.

import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  type CapturedConfiguration,
  type CommandSpec,
  type ConfigurationDetails,
  type ConfigurationSource,
  captureConfiguration,
  type Place,
  placeOf,
  type Remote,
} from '../../src/configuration/index.ts';
import type { SnapshotOnCopies, SnapshotWriter, Vault } from '../../src/vault/index.ts';
import { PLANTED } from './planted-secrets.ts';
import { snapshotId } from './vault.ts';

const execute = promisify(execFile);

export const CONFIGURATION_COMPONENT = 'configuration/etc';

export async function plantTree(directory: string): Promise<void> {
  for (const { file, text } of PLANTED) {
    const place = path.join(directory, file);
    await mkdir(path.dirname(place), { recursive: true });
    await writeFile(place, text);
  }
}

export function sourceOf(paths: readonly string[], changes: Partial<ConfigurationSource> = {}): ConfigurationSource {
  return {
    paths,
    rules: { exclude: [], oneFileSystem: true, cacheTags: true },
    commands: [],
    redact: [],
    withhold: [],
    largestTextBytes: 1024 * 1024,
    ...changes,
  };
}

export function shell(name: string, script: string, changes: Partial<CommandSpec> = {}): CommandSpec {
  return {
    name,
    argv: ['/bin/sh', '-c', script],
    timeoutMs: 60_000,
    largestBytes: 1024 * 1024,
    env: {},
    ...changes,
  };
}

export interface CaptureRequest {
  readonly vault: Vault;
  readonly stateDirectory: string;
  readonly source: ConfigurationSource;
  readonly number: number;
  readonly remote?: Remote;
  readonly signal?: AbortSignal;
}

export function placeIn(stateDirectory: string): Place {
  return placeOf(stateDirectory, 'etc');
}

export async function captureNumber(request: CaptureRequest): Promise<CapturedConfiguration> {
  const { vault, stateDirectory, source, number, remote, signal = AbortSignal.timeout(600_000) } = request;
  return await captureConfiguration({
    vault,
    place: placeIn(stateDirectory),
    source,
    ...(remote && { remote }),
    request: {
      snapshotId: snapshotId(number),
      component: CONFIGURATION_COMPONENT,
      class: 'configuration',
      host: 'db1',
    },
    signal,
  });
}

/** A vault that does something when the files of a snapshot are in it, before what is made of them. */
export function afterFiles(vault: Vault, act: () => Promise<void>): Vault {
  let isDone = false;
  const writing = (writer: SnapshotWriter) =>
    delegating(writer, {
      addFile: async (entry, content) => {
        if (!isDone) await act();
        isDone = true;
        return await writer.addFile(entry, content);
      },
    });
  return delegating(vault, { writeSnapshot: async (request) => writing(await vault.writeSnapshot(request)) });
}

/** The same object with some of its methods replaced. */
function delegating<T extends object>(object: T, replaced: Partial<T>): T {
  return new Proxy(object, {
    get(of, name) {
      if (name in replaced) return Reflect.get(replaced, name);
      const value = Reflect.get(of, name, of);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
}

export function detailsOf({ engine }: SnapshotOnCopies): ConfigurationDetails {
  return engine as unknown as ConfigurationDetails;
}

export async function git(repository: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute('git', [`--git-dir=${repository}`, ...args], { maxBuffer: 256 * 1024 * 1024 });
  return stdout.trimEnd();
}

export function remoteAt(url: string, changes: Partial<Remote> = {}): Remote {
  return { url, branch: 'main', timeoutMs: 60_000, ...changes };
}
