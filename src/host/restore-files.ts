// Giving back files on their own host: the plan is frozen once, each root is touched under its lease, and all of it is looked at again.

import type { Configuration } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import type { Named } from '../domain/component-report.ts';
import type { ChangeCounts, FilesPlan, FilesRestored, WrittenFiles } from '../domain/files-restore.ts';
import type { RestoreFilesInput } from '../domain/operations.ts';
import { shownPath } from '../domain/path-text.ts';
import { bytesText } from '../domain/size.ts';
import { parseSnapshotTarget } from '../domain/snapshot-target.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import {
  compareBeside,
  compareInPlace,
  finishBeside,
  laterRoots,
  planFiles,
  restoreBeside,
  restoreInPlace,
  type Selection,
  type Told,
} from '../files/index.ts';
import { elsewhereWords, type SnapshotId, type SnapshotReader, type Vault } from '../vault/index.ts';
import { placeIn, placeOf, ZOMBIE_LEAVES_MS } from './end-files.ts';
import { type GuardServices, leased } from './restore-guard.ts';
import { treesOn } from './trees.ts';

export interface FilesRestoring extends GuardServices {
  readonly configuration: Configuration;
  /** The vault with the credentials that restore. */
  reading(): Promise<Vault>;
}

export interface Watching {
  readonly signal: AbortSignal;
  readonly onNote: (words: string) => void;
}

export async function planFilesRestore(
  services: FilesRestoring,
  run: string,
  input: RestoreFilesInput,
  signal: AbortSignal,
): Promise<FilesPlan> {
  const { configuration, host } = services;
  const { component, to, from, paths, patterns, beside } = input;
  const { rules, rootsNow, snapshotsOf, pull } = treesOn(services, component);
  return await planFiles({
    ...{ vault: snapshotsOf(await services.reading()), run, component, host, rules, rootsNow, signal },
    ...(pull && { elsewhere: pull }),
    target: parseSnapshotTarget(to, configuration.timezone),
    selection: { ...(paths && { paths }), ...(patterns && { patterns }) },
    ...(from === undefined ? {} : { from }),
    ...(beside === undefined ? {} : { directory: beside.directory }),
  });
}

/** With `keep` it is stored as a record of the run, once. */
export async function freezeFilesPlan(
  services: FilesRestoring,
  run: string,
  input: RestoreFilesInput,
  keep: boolean,
  signal: AbortSignal,
): Promise<FilesPlan> {
  if (!keep) return await planFilesRestore(services, run, input, signal);
  const vault = await services.reading();
  const stored = await vault.getRecord(run, 'plan').catch((error: unknown) => {
    if (isHoldfastError(error, 'NOT_FOUND')) return undefined;
    throw error;
  });
  // An earlier attempt has frozen it: planning again could give another.
  if (stored !== undefined) return stored as FilesPlan;
  const made = await planFilesRestore(services, run, input, signal);
  await vault.putRecord(run, 'request', input);
  await vault.putRecord(run, 'plan', made);
  return made;
}

export async function storedFilesPlan(services: FilesRestoring, run: string): Promise<FilesPlan> {
  return (await (await services.reading()).getRecord(run, 'plan')) as FilesPlan;
}

/** Throws `PLAN_CHANGED`, `NOT_FOUND`. */
export async function loadFilesPlan(
  services: FilesRestoring,
  {
    run,
    component,
    planDigest,
  }: { readonly run: string; readonly component: ComponentId; readonly planDigest?: string },
): Promise<FilesPlan> {
  const stored = await storedFilesPlan(services, run);
  if (stored.run !== run || stored.component !== component || stored.host !== services.host) {
    fail('PLAN_CHANGED', `the plan that was found is for ${stored.run} of ${stored.component} on '${stored.host}'`);
  }
  if (planDigest !== undefined && stored.digest !== planDigest) {
    fail('PLAN_CHANGED', `the plan of ${run} has digest '${stored.digest}', not '${planDigest}'`);
  }
  return stored;
}

/** Files go on changing while somebody thinks; so many more is another matter. */
const FAR_MORE = { times: 2, and: 1000 } as const;

/** Throws `PLAN_CHANGED`. */
export function requireSamePlan(shown: FilesPlan, now: FilesPlan): void {
  if (shown.digest !== now.digest) {
    fail('PLAN_CHANGED', `the plan now has digest '${now.digest}', not '${shown.digest}' as shown`);
  }
  const gone = ({ changes }: FilesPlan) => (changes?.counts.remove ?? 0) + (changes?.counts.replace ?? 0);
  if (gone(now) > gone(shown) * FAR_MORE.times + FAR_MORE.and) {
    fail('PLAN_CHANGED', `${gone(now)} names would be taken away or replaced now, ${gone(shown)} were shown`);
  }
}

/** Throws as the engine does; after an error `undoFiles` takes back whatever was done. */
export async function writeFiles(
  services: FilesRestoring,
  frozen: FilesPlan,
  watching: Watching,
): Promise<WrittenFiles> {
  return await withReader(services, frozen, async (reader) => {
    const written =
      frozen.directory === undefined
        ? await inPlace(services, frozen, reader, watching)
        : await beside(services, frozen, reader, frozen.directory, watching);
    const warnings = [...(written.warnings ?? []), ...elsewhereWords(reader.elsewhere)];
    return { ...written, ...(warnings.length > 0 && { warnings }) };
  });
}

/** Every entry once more. Beside, a difference throws `RECOVERY_MISMATCH`; in place one that nobody else can have made `CHECK_FAILED`. */
export async function compareFiles(
  services: FilesRestoring,
  frozen: FilesPlan,
  { signal, lacking = 0 }: { readonly signal: AbortSignal; readonly lacking?: number },
): Promise<FilesRestored['compared']> {
  return await withReader(services, frozen, (reader) =>
    frozen.directory === undefined
      ? compareRoots(services, frozen, reader, signal)
      : finishEqual(reader, frozen, frozen.directory, lacking),
  );
}

async function beside(
  services: FilesRestoring,
  frozen: FilesPlan,
  reader: SnapshotReader,
  directory: string,
  { signal, onNote }: Watching,
): Promise<WrittenFiles> {
  const { run } = frozen;
  const written = await leased(services, placeOf(directory, run, run, false), ({ lost }) =>
    restoreBeside({
      ...{ reader, directory, run, selection: selectionOf(frozen) },
      signal: lost === undefined ? signal : AbortSignal.any([signal, lost]),
      onProgress: ({ files, bytes }) => onNote(`${files} files, ${bytesText(bytes)} given back`),
    }),
  );
  const { files, directories, others, bytes, lacking } = written;
  return { files, others: directories + others, bytes, lacking: inWords(lacking) };
}

async function inPlace(
  services: FilesRestoring,
  frozen: FilesPlan,
  reader: SnapshotReader,
  { signal, onNote }: Watching,
): Promise<WrittenFiles> {
  const { run, component } = frozen;
  const { rules, rootsNow } = treesOn(services, component);
  const changes: Record<keyof ChangeCounts, number> = { create: 0, replace: 0, remove: 0, settle: 0, compare: 0 };
  const keptAt: string[] = [];
  const warnings: string[] = [];
  const lacking: { count: number; first: string[] } = { count: 0, first: [] };
  let bytes = 0;
  for (const root of frozen.roots) {
    const done = await leased(services, await placeIn(root, run, run, false), (guard) =>
      restoreInPlace({
        ...{ reader, root, run, rules, selection: selectionOf(frozen), signal },
        restore: { component, roots: frozen.roots },
        guard: { ...guard, waitMs: ZOMBIE_LEAVES_MS },
        onProgress: ({ files, bytes }) => onNote(`${root}: ${files} files, ${bytesText(bytes)} staged`),
      }),
    );
    for (const kind of Object.keys(changes) as (keyof ChangeCounts)[]) changes[kind] += done.counts[kind].entries;
    bytes += done.counts.create.bytes + done.counts.replace.bytes;
    keptAt.push(done.kept);
    warnings.push(...done.warnings, ...leftSince(root, done.changedSince));
    const words = inWords(done.lacking);
    lacking.count += words.count;
    lacking.first.push(...words.first);
  }
  const later = await laterRoots(reader.snapshot, rootsNow, selectionOf(frozen));
  warnings.push(...later.warnings);
  const files = changes.create + changes.replace;
  return {
    ...{ files, others: changes.settle, bytes, changes, keptAt, lacking },
    ...(later.kept && { kept: later.kept }),
    ...(warnings.length > 0 && { warnings }),
  };
}

function leftSince(root: string, { count, first }: Told<string>): string[] {
  if (count === 0) return [];
  const shown = first.slice(0, MOST_TOLD).map((below) => `'${shownPath(`${root}/${below}`)}'`);
  return [`${count} names were written to meanwhile, and are left as they are: ${shown.join(', ')}`];
}

/** What others changed since is told. Throws `CHECK_FAILED` for what only this run can have made so. */
async function compareRoots(
  services: FilesRestoring,
  frozen: FilesPlan,
  reader: SnapshotReader,
  signal: AbortSignal,
): Promise<FilesRestored['compared']> {
  const { rules } = treesOn(services, frozen.component);
  const { run } = frozen;
  let entries = 0;
  let count = 0;
  const first: string[] = [];
  const warnings: string[] = [];
  for (const root of frozen.roots) {
    const compared = await compareInPlace({ reader, root, rules, selection: selectionOf(frozen), run, signal });
    const { wrong, changedSince } = compared;
    if (wrong.count > 0) {
      failComparison(run, `${wrong.count} names in '${root}' are not what the snapshot has`, wrong.first);
    }
    entries += compared.entries;
    warnings.push(...compared.warnings);
    count += changedSince.count;
    first.push(...changedSince.first.slice(0, MOST_TOLD - first.length));
  }
  if (entries === 0) failComparison(run, 'nothing could be compared: the snapshot has no entry that was wanted');
  return { entries, differing: { count, first }, ...(warnings.length > 0 && { warnings }) };
}

function failComparison(run: string, what: string, names: readonly string[] = []): never {
  const shown = names.slice(0, MOST_TOLD).join(', ');
  fail('CHECK_FAILED', `${what}${names.length === 0 ? '' : `, and nobody else has touched them since: ${shown}`}`, {
    hint: `where the run has not undone itself, \`holdfast rollback ${run}\` brings back what was there; then try another copy with \`--from\`, or restore beside`,
  });
}

const MOST_TOLD = 5;

/** `lacking`: properties that could not be given and were told; without any, none may differ. */
async function finishEqual(reader: SnapshotReader, frozen: FilesPlan, directory: string, lacking: number) {
  const compared = await compareBeside(reader, directory, selectionOf(frozen));
  const { entries, notGiven, notKept } = compared;
  const differing = compared.differing.count > 0 || lacking > 0 ? compared.differing : notGiven;
  if (entries === 0) fail('RECOVERY_MISMATCH', 'nothing could be compared: the snapshot has no entry that was wanted');
  if (differing.count > 0) {
    fail(
      'RECOVERY_MISMATCH',
      `${differing.count} entries are not what the snapshot has: ${differing.first.slice(0, MOST_TOLD).join(', ')}`,
    );
  }
  await finishBeside(directory, frozen.run);
  const warnings = notKept.count > 0 && {
    warnings: [
      `the file system of '${directory}' does not keep all that it is given: ${notKept.count} entries, such as ${notKept.first.slice(0, MOST_TOLD).join(', ')}`,
    ],
  };
  return { entries, differing: { count: 0, first: [] }, ...warnings };
}

function inWords({
  count,
  first,
}: Told<{ readonly path: string; readonly what: string; readonly code: string }>): Named {
  return {
    count,
    first: first.slice(0, MOST_TOLD).map(({ path, what, code }) => `/${shownPath(path)}: ${what} (${code})`),
  };
}

function selectionOf({ paths, patterns }: Pick<FilesPlan, 'paths' | 'patterns'>): Selection {
  return { ...(paths && { paths }), ...(patterns && { patterns }) };
}

async function withReader<T>(
  services: FilesRestoring,
  { snapshot, component }: FilesPlan,
  work: (reader: SnapshotReader) => Promise<T>,
): Promise<T> {
  const vault = treesOn(services, component).snapshotsOf(await services.reading());
  const reader = await vault.openSnapshot(snapshot.id as SnapshotId, snapshot.copy);
  try {
    return await work(reader);
  } finally {
    reader.close();
  }
}
