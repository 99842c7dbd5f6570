// The server's settings files where they lie outside of its data directory (as on Debian): few and small, they go along with a base backup.

import { type FileHandle, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { SnapshotWriter } from '../../vault/types.ts';
import { withPlain } from '../connection/index.ts';
import { readDirectoryIdentity } from '../recovery/control-data.ts';
import type { Source } from '../types.ts';

/** Below this the tree has them under their whole paths; a name that no server's base backup ever has. */
export const configurationPrefix = 'pgsql_tmp.holdfast/configuration';

export interface OutsideFile {
  /** Absolute, as the server names it. */
  readonly path: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly content: Buffer;
}

export interface OutsideConfiguration {
  readonly files: readonly OutsideFile[];
  /** What was not taken, and why, in words. */
  readonly left: readonly string[];
}

/** A settings file is a few kilobytes; what is larger is none. */
const maxFileBytes = 1024 * 1024;
const maxFiles = 200;

const placesSql = `select current_setting('data_directory', true) as data, current_setting('config_file', true) as config,
  current_setting('hba_file', true) as hba, current_setting('ident_file', true) as ident`;

/**
 * By the files of this host, when the server's data directory is on it and is that of `systemId`: another cluster's settings must never
 * stand in for its own. Never throws for a file: what cannot be had is in `left`.
 */
export async function readOutsideConfiguration(source: Source, systemId: string): Promise<OutsideConfiguration> {
  const places = await withPlain(source, (plain) =>
    plain.query<Record<string, string>>('ask for its files', placesSql),
  ).catch(() => []);
  const { data, ...named } = places[0] ?? {};
  if (!data) return { files: [], left: ['the role may not see where the settings files are'] };
  const outside = Object.values(named).filter((file) => file !== '' && !isBelow(file, data));
  if (outside.length === 0) return { files: [], left: [] };
  const identity = await readDirectoryIdentity(data).catch(() => undefined);
  if (identity?.systemId !== systemId) {
    return { files: [], left: [`'${data}' of the server is not a directory of this host: ${outside.join(', ')}`] };
  }
  const reader = new Reader(data);
  for (const file of outside) await reader.read(file);
  return { files: reader.files, left: reader.left };
}

const isBelow = (file: string, directory: string) => path.resolve(file).startsWith(`${path.resolve(directory)}/`);

/** `include 'x'`, `include_if_exists x`, `include_dir 'y'`, since PostgreSQL 16 in access rules too (PostgreSQL manual, "Managing Configuration File Contents"). */
const includeLine =
  /^\s*(include_if_exists|include_dir|include)(?!\w)\s*=?\s*(?:'((?:[^']|'')*)'|"([^"]*)"|([^\s#'"]+))/;

class Reader {
  readonly files: OutsideFile[] = [];
  readonly left: string[] = [];
  private readonly seen = new Set<string>();
  private readonly dataDirectory: string;

  constructor(dataDirectory: string) {
    this.dataDirectory = dataDirectory;
  }

  async read(file: string, isOptional = false): Promise<void> {
    // What is in the data directory comes with it.
    if (this.seen.has(file) || isBelow(file, this.dataDirectory)) return;
    this.seen.add(file);
    if (this.files.length >= maxFiles) {
      this.left.push(`'${file}': more than ${maxFiles} files`);
      return;
    }
    const found = await readSmall(file);
    if (typeof found === 'string') {
      if (!isOptional || found !== 'ENOENT') this.left.push(`'${file}': ${found}`);
      return;
    }
    this.files.push(found);
    for (const line of found.content.toString('utf8').split('\n')) await this.follow(file, line);
  }

  private async follow(file: string, line: string): Promise<void> {
    const [, directive, quoted, double, plain] = includeLine.exec(line) ?? [];
    const name = quoted?.replaceAll("''", "'") ?? double ?? plain;
    if (directive === undefined || !name) return;
    const target = path.resolve(path.dirname(file), name);
    if (directive !== 'include_dir') return this.read(target, directive === 'include_if_exists');
    const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
      this.left.push(`'${target}': ${error.code}`);
      return [];
    });
    for (const one of names.sort()) {
      if (one.endsWith('.conf') && !one.startsWith('.')) await this.read(path.join(target, one));
    }
  }
}

/** The reason in words when it cannot be had. */
async function readSmall(file: string): Promise<OutsideFile | string> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    const stat = await handle.stat();
    if (!stat.isFile()) return 'not a file';
    if (stat.size > maxFileBytes) return `larger than ${maxFileBytes} bytes`;
    const { mode, mtimeMs } = stat;
    return {
      path: path.resolve(file),
      mode: mode & 0o777,
      mtimeSeconds: Math.floor(mtimeMs / 1000),
      content: await handle.readFile(),
    };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    await handle?.close();
  }
}

/** Gives how many bytes were added. */
export async function addOutsideConfiguration(
  writer: Pick<SnapshotWriter, 'addFile'>,
  { files }: OutsideConfiguration,
): Promise<number> {
  let sizeBytes = 0;
  for (const { path: file, content, ...facts } of files) {
    const entry = { ...facts, path: `${configurationPrefix}${file}`, chunking: 'content' as const };
    await writer.addFile(entry, once(content));
    sizeBytes += content.length;
  }
  return sizeBytes;
}

async function* once(content: Buffer): AsyncGenerator<Buffer> {
  if (content.length > 0) yield content;
}
