// What a host answers of the past of its files, and the archive of a tree: all it takes is the vault, and for `now` the disk.

import os from 'node:os';
import path from 'node:path';
import type { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { type Configuration, componentOf, type FilesSettings } from '../../config/index.ts';
import type { Looking } from '../domain/client.ts';
import type { ComponentId } from '../domain/component.ts';
import type {
  DiffFilesRequest,
  FilesDiff,
  FilesExported,
  FilesFound,
  FindFilesRequest,
} from '../domain/files-history.ts';
import type { ChosenSnapshot } from '../domain/files-restore.ts';
import { parseSnapshotTarget } from '../domain/snapshot-target.ts';
import { fail } from '../errors/index.ts';
import { chooseSnapshot, diffFiles, exportToFile, exportToStream, findFiles, type Selection } from '../files/index.ts';
import type { SnapshotId, Vault } from '../vault/index.ts';
import { openConfiguredVault } from './open-vault.ts';

interface Here {
  readonly vault: Vault;
  readonly configuration: Configuration;
  readonly host: string;
}

const never = new AbortController().signal;

/** Throws `UNKNOWN_COMPONENT` and as `findFiles` of the engine does. */
export async function findFilesOf(
  { vault, configuration }: Here,
  { component, wanted }: FindFilesRequest,
  { signal = never, onProgress }: Looking = {},
): Promise<FilesFound> {
  const { id } = filesComponent(configuration, component);
  return await findFiles({ vault, component: id, wanted, signal, ...(onProgress && { onProgress }) });
}

/** Throws `UNKNOWN_COMPONENT` and as `diffFiles` of the engine does. */
export async function diffFilesOf(
  { vault, configuration, host }: Here,
  request: DiffFilesRequest,
  { signal = never }: Looking = {},
): Promise<FilesDiff> {
  const settings = filesComponent(configuration, request.component);
  const disk = diskOf(settings, host);
  return await diffFiles({ ...request, vault, host, timezone: configuration.timezone, disk, signal });
}

function diskOf({ roots, rules, pull, host }: FilesSettings, here: string) {
  if (pull) return { not: `it is on '${pull.ssh}', and only its snapshots are here` };
  return host === here ? { roots, rules } : { not: `it is on host '${host}', and this is '${here}'` };
}

export interface ExportRequest {
  readonly component: ComponentId;
  /** As typed after `--to`. */
  readonly to: string;
  readonly from?: string;
  readonly selection: Selection;
  /** A file, or a stream that gets the archive compressed. */
  readonly output: string | Writable;
  readonly signal: AbortSignal;
  readonly onChosen?: (chosen: ChosenSnapshot) => void;
  readonly onProgress?: (done: { readonly files: number; readonly bytes: number }) => void;
}

/** Throws as `chooseSnapshot`, `exportToFile` and `exportToStream` do. */
async function exportFilesOf({ vault, configuration }: Here, request: ExportRequest): Promise<FilesExported> {
  const { component, output, selection, signal, onProgress } = request;
  const { id } = filesComponent(configuration, component);
  const target = parseSnapshotTarget(request.to, configuration.timezone);
  const chosen = await chooseSnapshot(vault, id, target, { from: request.from, before: '--to ' });
  request.onChosen?.(chosen);
  const reader = await vault.openSnapshot(chosen.id as SnapshotId, chosen.copy);
  try {
    const options = { reader, selection, signal, ...(onProgress && { onProgress }) };
    const isFile = typeof output === 'string';
    const done = isFile ? await exportToFile(output, options) : await exportToStream(output, options);
    return { component: id, snapshot: chosen, ...done, ...(isFile && { file: path.resolve(output) }) };
  } finally {
    reader.close();
  }
}

function filesComponent(configuration: Configuration, component: ComponentId): FilesSettings {
  const settings = componentOf(configuration, component);
  return settings.kind === 'files' ? settings : fail('USAGE', `'${settings.id}' is no component of files`);
}

export interface Exports {
  export(request: ExportRequest): Promise<FilesExported>;
  close(): Promise<void>;
}

/** On any machine that has the keys, with the credentials of a restore. Throws as `openVault` does. */
export async function openExports(
  configuration: Configuration,
  { logger }: { readonly logger: Logger },
): Promise<Exports> {
  // Whoever has the keys need not be a host of the estate.
  const host = os.hostname();
  const vault = await openConfiguredVault(configuration, { host, logger, purpose: 'restore' });
  return {
    export: (request) => exportFilesOf({ vault, configuration, host }, request),
    close: () => vault.close(),
  };
}
