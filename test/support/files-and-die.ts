// A process for tests: pulls, mirrors or exports, and is killed in the middle of a file. Argument: JSON.

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { capturePulled, exportToFile, mirrorFiles, type RemoteHost } from '../../src/files/index.ts';
import type { SnapshotId, SnapshotReader } from '../../src/vault/index.ts';
import { openFileVault } from './open-vault.ts';

interface Vaulted {
  readonly keyFile: string;
  readonly copy: string;
  readonly id: SnapshotId;
}

export type DyingFiles =
  | ({
      readonly action: 'pull';
      readonly remote: RemoteHost;
      readonly roots: readonly string[];
      readonly directory: string;
    } & Vaulted)
  | { readonly action: 'mirror'; readonly root: string; readonly target: string; readonly directory: string }
  | ({ readonly action: 'export'; readonly output: string } & Vaulted);

/** It takes long enough to be cut off. */
const SLOW = 256 * 1024;
/** rsync writes under a passing name, which begins so, until a file is whole. */
const PASSING = '.large.';
const EXPORTED_BYTES = 1024 * 1024;

const asked = JSON.parse(process.argv[2] ?? '{}') as DyingFiles;
const { signal } = new AbortController();
const die = () => process.kill(process.pid, 'SIGKILL');

async function dieOnceOnItsWay(place: string): Promise<never> {
  for (;;) {
    const names = await readdir(place).catch(() => [] as string[]);
    if (names.some((name) => name.startsWith(PASSING))) die();
    await sleep(5);
  }
}

async function open({ keyFile, copy }: Vaulted) {
  return await openFileVault({ keyFile, copies: [{ name: 'local', path: copy, offsite: false }] });
}

/** Dies when so much of what is in the files was read. */
function dyingReader(reader: SnapshotReader): SnapshotReader {
  let bytes = 0;
  async function* read(...args: Parameters<SnapshotReader['read']>) {
    for await (const piece of reader.read(...args)) {
      yield piece;
      bytes += piece.length;
      if (bytes > EXPORTED_BYTES) die();
    }
  }
  return { snapshot: reader.snapshot, entries: () => reader.entries(), read } as unknown as SnapshotReader;
}

switch (asked.action) {
  case 'pull': {
    const { remote, roots, directory, id } = asked;
    const pulling = capturePulled({
      vault: await open(asked),
      source: { roots, rules: { exclude: [], oneFileSystem: true, cacheTags: true } },
      pull: { remote, directory, bytesPerSecond: SLOW },
      request: { snapshotId: id, component: 'files/elsewhere', class: 'files', host: 'here' },
      signal,
    });
    await Promise.race([pulling, dieOnceOnItsWay(path.join(directory, 'tree', roots[0] ?? ''))]);
    break;
  }
  case 'mirror': {
    const { root, target, directory } = asked;
    const mirroring = mirrorFiles({
      ...{ estate: 'acme', component: 'files/uploads', roots: [root], oneFileSystem: true, exclude: [], maxDelete: 3 },
      ...{ target: { directory: target }, directory, signal, bytesPerSecond: SLOW },
    });
    await Promise.race([mirroring, dieOnceOnItsWay(path.join(target, 'tree', root))]);
    break;
  }
  case 'export': {
    const reader = await (await open(asked)).openSnapshot(asked.id);
    await exportToFile(asked.output, { reader: dyingReader(reader), selection: {}, signal });
    break;
  }
}
process.exit(0);
