// Activities of giving back files: the plan is frozen once, each root is touched under its lease, what was there is kept.

import type { ComponentId } from '../src/domain/component.ts';
import type { Named } from '../src/domain/component-report.ts';
import type { ChangeCounts, FilesPlan } from '../src/domain/files-restore.ts';
import type { RestoreFilesInput } from '../src/domain/operations.ts';
import { bytesText } from '../src/domain/size.ts';
import { parseSnapshotTarget } from '../src/domain/snapshot-target.ts';
import { fail, isHoldfastError } from '../src/errors/index.ts';
import {
  compareBeside,
  confirmInPlace,
  planFiles,
  planInPlace,
  restoreBeside,
  restoreInPlace,
  rollbackInPlace,
  runsInPlace,
  type Selection,
  type Told,
  undoBeside,
} from '../src/files/index.ts';
import { leased } from '../src/host/restore-guard.ts';
import type { SnapshotId, SnapshotReader } from '../src/vault/index.ts';
import type { FilesActivities, FilesStep, RestoreEnd, RunOnHost, WrittenFiles } from './contract.ts';
import { type Running, runActivity } from './lib/activity-runner.ts';
import { filesOf, type HostServices } from './lib/host-services.ts';

export function createFilesRestoreActivities(services: HostServices): Omit<FilesActivities, 'captureFiles'> {
  const { frame } = services;
  return {
    planFiles: ({ run, input, keep }) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'comparing the snapshot with what is there' });
        return await freeze(services, run, input, keep, signal);
      }),
    recheckFiles: ({ run, input }) =>
      runActivity(frame, async ({ signal }) => {
        const shown = await storedPlan(services, run);
        requireSame(shown, await plan(services, run, input, signal));
      }),
    restoreFiles: (request) =>
      runActivity(frame, async (running) => {
        const frozen = await loadPlan(services, request);
        return await withReader(services, frozen, (reader) =>
          frozen.directory === undefined
            ? inPlace(services, frozen, reader, running)
            : beside(services, frozen, reader, frozen.directory, running),
        );
      }),
    compareFiles: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'comparing what is there with the snapshot' });
        const frozen = await loadPlan(services, request);
        return await withReader(services, frozen, (reader) =>
          frozen.directory === undefined
            ? compareInPlace(services, frozen, reader, signal)
            : requireEqual(reader, frozen.directory, selectionOf(frozen)),
        );
      }),
    undoFiles: (request) =>
      runActivity(frame, async ({ signal }) => {
        const { run, component } = request;
        const frozen = await storedPlan(services, run);
        const { directory } = frozen;
        if (directory === undefined) await back(services, component, run, run, signal);
        else await leased(services, placeOf(directory, run, run, true), () => undoBeside(directory, run));
      }),
  };
}

export async function rollbackFiles(
  services: HostServices,
  { component, run }: RunOnHost,
  signal: AbortSignal,
): Promise<RestoreEnd> {
  const roots = await back(services, component, run, `rollback of ${run}`, signal);
  return { dataDirectory: roots.join(', '), message: `what was there before ${run} is back in ${roots.join(', ')}` };
}

export async function confirmFiles(services: HostServices, { component, run }: RunOnHost): Promise<RestoreEnd> {
  const roots = await rootsOf(services, component, run);
  for (const root of roots) {
    const place = await placeIn(root, run, `confirm of ${run}`, false);
    await leased(services, place, (guard) =>
      confirmInPlace({ root, run, guard: { ...guard, waitMs: ZOMBIE_LEAVES_MS } }),
    );
  }
  const message = `${run} is confirmed: what was kept in ${roots.join(', ')} was removed`;
  return { dataDirectory: roots.join(', '), message };
}

async function back(
  services: HostServices,
  component: ComponentId,
  run: string,
  owner: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const roots = await rootsOf(services, component, run);
  for (const root of [...roots].reverse()) {
    signal.throwIfAborted();
    const place = await placeIn(root, run, owner, true);
    await leased(services, place, (guard) =>
      rollbackInPlace({ root, run, guard: { ...guard, waitMs: ZOMBIE_LEAVES_MS } }),
    );
  }
  return roots;
}

/** Those in which the run has left something; a stumbling store must not keep anybody from going back. Throws `NOT_FOUND` when there is none that the plan has not. */
async function rootsOf(services: HostServices, component: ComponentId, run: string): Promise<readonly string[]> {
  const { roots } = filesOf(services, component);
  const found: string[] = [];
  for (const root of roots) if ((await runsInPlace(root)).has(run)) found.push(root);
  return found;
}

/** An attempt that was given up learns of it with the next renewal of its lease, and needs a while to leave. */
const ZOMBIE_LEAVES_MS = 120_000;

async function placeIn(root: string, run: string, owner: string, undo: boolean) {
  return { ...placeOf(root, run, owner, undo), above: (await runsInPlace(root)).get(run)?.token ?? 0 };
}

function placeOf(dataDirectory: string, run: string, owner: string, undo: boolean) {
  return { dataDirectory, run, owner, undo };
}

async function beside(
  services: HostServices,
  frozen: FilesPlan,
  reader: SnapshotReader,
  directory: string,
  { signal, report }: Running,
): Promise<WrittenFiles> {
  const { run } = frozen;
  const written = await leased(services, placeOf(directory, run, run, false), ({ lost }) =>
    restoreBeside({
      ...{ reader, directory, run, selection: selectionOf(frozen) },
      signal: lost === undefined ? signal : AbortSignal.any([signal, lost]),
      onProgress: ({ files, bytes }) => report({ note: `${files} files, ${bytesText(bytes)} given back` }),
    }),
  );
  const { files, directories, others, bytes, lacking } = written;
  return { files, others: directories + others, bytes, lacking: inWords(lacking) };
}

async function inPlace(
  services: HostServices,
  frozen: FilesPlan,
  reader: SnapshotReader,
  { signal, report }: Running,
): Promise<WrittenFiles> {
  const { run, component } = frozen;
  const { rules } = filesOf(services, component);
  const changes: Record<keyof ChangeCounts, number> = { create: 0, replace: 0, remove: 0, settle: 0, compare: 0 };
  const keptAt: string[] = [];
  const lacking: { count: number; first: string[] } = { count: 0, first: [] };
  let bytes = 0;
  for (const root of frozen.roots) {
    const done = await leased(services, await placeIn(root, run, run, false), (guard) =>
      restoreInPlace({
        ...{ reader, root, run, rules, selection: selectionOf(frozen), signal },
        guard: { ...guard, waitMs: ZOMBIE_LEAVES_MS },
        onProgress: ({ files, bytes }) => report({ note: `${root}: ${files} files, ${bytesText(bytes)} staged` }),
      }),
    );
    for (const kind of Object.keys(changes) as (keyof ChangeCounts)[]) changes[kind] += done.counts[kind].entries;
    bytes += done.counts.create.bytes + done.counts.replace.bytes;
    keptAt.push(done.kept);
    const words = inWords(done.lacking);
    lacking.count += words.count;
    lacking.first.push(...words.first);
  }
  const files = changes.create + changes.replace;
  return { files, others: changes.settle, bytes, changes, keptAt, lacking };
}

/** Others write there too: what differs by now is told, not judged. */
async function compareInPlace(services: HostServices, frozen: FilesPlan, reader: SnapshotReader, signal: AbortSignal) {
  const { rules } = filesOf(services, frozen.component);
  let count = 0;
  const first: string[] = [];
  for (const root of frozen.roots) {
    const selection = selectionOf(frozen);
    const planned = await planInPlace({ reader, root, rules, selection, run: frozen.run, signal });
    // Time and size are right, and the bytes were compared when they were staged.
    const differing = planned.changes.filter(({ kind }) => kind !== 'compare');
    count += planned.count - planned.counts.compare.entries;
    first.push(...differing.map(({ kind, path }) => `${kind} ${root}/${path}`).slice(0, MOST_TOLD - first.length));
  }
  return { entries: frozen.entries.files + frozen.entries.others, differing: { count, first } };
}

const MOST_TOLD = 5;

async function requireEqual(reader: SnapshotReader, directory: string, selection: Selection) {
  const { entries, differing } = await compareBeside(reader, directory, selection);
  if (entries === 0) fail('RECOVERY_MISMATCH', 'nothing could be compared: the snapshot has no entry that was wanted');
  if (differing.count > 0) {
    fail(
      'RECOVERY_MISMATCH',
      `${differing.count} entries are not what the snapshot has: ${differing.first.slice(0, MOST_TOLD).join(', ')}`,
    );
  }
  return { entries, differing: { count: 0, first: [] } };
}

function inWords({
  count,
  first,
}: Told<{ readonly path: string; readonly what: string; readonly code: string }>): Named {
  return { count, first: first.slice(0, MOST_TOLD).map(({ path, what, code }) => `/${path}: ${what} (${code})`) };
}

function selectionOf({ paths, patterns }: Pick<FilesPlan, 'paths' | 'patterns'>): Selection {
  return { ...(paths && { paths }), ...(patterns && { patterns }) };
}

async function withReader<T>(
  services: HostServices,
  { snapshot }: FilesPlan,
  work: (reader: SnapshotReader) => Promise<T>,
): Promise<T> {
  const vault = await services.vault('restore');
  const reader = await vault.openSnapshot(snapshot.id as SnapshotId, snapshot.copy);
  try {
    return await work(reader);
  } finally {
    reader.close();
  }
}

async function plan(
  services: HostServices,
  run: string,
  input: RestoreFilesInput,
  signal: AbortSignal,
): Promise<FilesPlan> {
  const { configuration, host } = services;
  const { component, to, from, paths, patterns, beside } = input;
  const { rules } = filesOf(services, component);
  return await planFiles({
    ...{ vault: await services.vault('restore'), run, component, host, rules, signal },
    target: parseSnapshotTarget(to, configuration.timezone),
    selection: { ...(paths && { paths }), ...(patterns && { patterns }) },
    ...(from === undefined ? {} : { from }),
    ...(beside === undefined ? {} : { directory: beside.directory }),
  });
}

/** With `keep` it is stored as a record of the run, once. */
async function freeze(
  services: HostServices,
  run: string,
  input: RestoreFilesInput,
  keep: boolean,
  signal: AbortSignal,
): Promise<FilesPlan> {
  if (!keep) return await plan(services, run, input, signal);
  const vault = await services.vault('restore');
  const stored = await vault.getRecord(run, 'plan').catch((error: unknown) => {
    if (isHoldfastError(error, 'NOT_FOUND')) return undefined;
    throw error;
  });
  // An earlier attempt has frozen it: planning again could give another.
  if (stored !== undefined) return stored as FilesPlan;
  const made = await plan(services, run, input, signal);
  await vault.putRecord(run, 'request', input);
  await vault.putRecord(run, 'plan', made);
  return made;
}

async function storedPlan(services: HostServices, run: string): Promise<FilesPlan> {
  return (await (await services.vault('restore')).getRecord(run, 'plan')) as FilesPlan;
}

/** Throws `PLAN_CHANGED`, `NOT_FOUND`. */
async function loadPlan(services: HostServices, { run, component, planDigest }: FilesStep): Promise<FilesPlan> {
  const stored = await storedPlan(services, run);
  if (stored.run !== run || stored.component !== component || stored.host !== services.host) {
    fail('PLAN_CHANGED', `the plan that was found is for ${stored.run} of ${stored.component} on '${stored.host}'`);
  }
  if (stored.digest !== planDigest) {
    fail('PLAN_CHANGED', `the plan of ${run} has digest '${stored.digest}', not '${planDigest}'`);
  }
  return stored;
}

/** Files go on changing while somebody thinks; so many more is another matter. */
const FAR_MORE = { times: 2, and: 1000 } as const;

function requireSame(shown: FilesPlan, now: FilesPlan): void {
  if (shown.digest !== now.digest) {
    fail('PLAN_CHANGED', `the plan now has digest '${now.digest}', not '${shown.digest}' as shown`);
  }
  const gone = ({ changes }: FilesPlan) => (changes?.counts.remove ?? 0) + (changes?.counts.replace ?? 0);
  if (gone(now) > gone(shown) * FAR_MORE.times + FAR_MORE.and) {
    fail('PLAN_CHANGED', `${gone(now)} names would be taken away or replaced now, ${gone(shown)} were shown`);
  }
}
