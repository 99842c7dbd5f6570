// One part of a sandbox: where it lives, and how it is found again.

import path from 'node:path';
import { sandboxMark } from './find-processes.ts';
import type { ServerOptions } from './server.ts';
import type { SandboxPart, SandboxRecord } from './state.ts';

/** Its intent is on disk before it starts, its identity right after. */
export async function placeOf(
  record: SandboxRecord,
  name: SandboxPart,
): Promise<ServerOptions & { readonly logFile: string }> {
  const { directory } = record.current;
  await record.setPid(name, null);
  return {
    dir: path.join(directory, name),
    logFile: path.join(logsOf(directory), `${name}.log`),
    outlive: true,
    env: sandboxMark(directory, name),
    onSpawn: (identity) => record.setPid(name, identity),
  };
}

export function logsOf(directory: string): string {
  return path.join(directory, 'logs');
}
