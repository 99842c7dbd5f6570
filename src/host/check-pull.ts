// The check of what a pull, or a mirror behind SSH, needs: programs, key, the host's key, every root over there, and room for what only root could give.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  type Configuration,
  type FilesSettings,
  type MirrorSettings,
  type RemoteSettings,
  stateDirectoryOf,
} from '../../config/index.ts';
import type { CheckResult } from '../domain/setup-report.ts';
import { toHoldfastError } from '../errors/index.ts';
import { kindOf, readMark, requireAccess, requireAttributes, requireRsync } from '../files/index.ts';

/** Where the trees of a component that is pulled are kept. */
export function pulledDirectory(stateDirectory: string, name: string): string {
  return path.join(stateDirectory, 'pulled', name);
}

/** Where a host remembers of when a mirror is. */
export function mirrorDirectory(stateDirectory: string, name: string): string {
  return path.join(stateDirectory, 'mirrors', name);
}

export async function checkPull(
  { roots, name }: FilesSettings,
  remote: RemoteSettings,
  stateDirectory: string,
  signal: AbortSignal,
): Promise<CheckResult[]> {
  const directory = pulledDirectory(stateDirectory, name);
  const own = [
    await attempt('rsync', async () => `version ${await requireRsync()}`),
    await attempt('access', async () => {
      await requireAccess(remote);
      return `a key for ${remote.ssh}, and the host's own`;
    }),
    await attempt('attributes', async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      requireAttributes(directory);
      return `${directory} keeps what only root could give`;
    }),
  ];
  if (own.some(({ ok }) => !ok)) return own;
  const looks: CheckResult[] = [];
  for (const root of roots) {
    looks.push(await attempt(`root ${root}`, async () => `a ${await kindOf(remote, root, signal)} on ${remote.ssh}`));
  }
  return [...own, ...looks];
}

/** Its place as the next run of the mirror would find it. */
export async function checkMirror(
  configuration: Configuration,
  { id: component, name, host }: FilesSettings,
  { directory, remote }: MirrorSettings,
  signal: AbortSignal,
): Promise<CheckResult[]> {
  const scratch = mirrorDirectory(stateDirectoryOf(configuration, host), name);
  const target = { directory, ...(remote && { remote }) };
  const look = async () => {
    const version = await requireRsync();
    if (remote) await requireAccess(remote);
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const mark = await readMark(target, { estate: configuration.name, component }, scratch, signal);
    return `${mark ? `${mark.state}, of ${mark.asOf ?? 'no moment yet'}` : 'empty, for the first run'} (rsync ${version})`;
  };
  return [await attempt('mirror', look)];
}

async function attempt(name: string, look: () => Promise<string>): Promise<CheckResult> {
  try {
    return { name, ok: true, message: await look() };
  } catch (error) {
    const { message, hint } = toHoldfastError(error);
    return { name, ok: false, message, hint };
  }
}
