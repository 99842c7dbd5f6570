// What a load is asked for and works with, as its engine takes it.

import type { ComponentId } from '../../../domain/component.ts';
import type { TableName } from '../../../domain/part.ts';
import { fail } from '../../../errors/index.ts';
import type { SnapshotId, SnapshotOnCopies, Vault } from '../../../vault/types.ts';
import { noSnapshotOf } from '../../../vault/whose-snapshot.ts';
import type { Source } from '../../types.ts';
import type { DumpedDatabase, LogicalDetails } from '../types.ts';
import type { Wanted } from './select-entries.ts';

export interface LoadRequest {
  readonly component: ComponentId;
  readonly host: string;
  readonly run: string;
  readonly estate: string;
  /** `latest`, or the id of a snapshot. */
  readonly snapshot: string;
  readonly database?: string;
  readonly wanted: Wanted;
  readonly into?: string;
  /** A table goes under this name into a database that is there. */
  readonly as?: TableName;
  readonly globals: boolean;
  readonly from?: string;
}

export interface LoadContext {
  /** The server that it goes into, by a role that may make databases. */
  readonly target: Source;
  readonly vault: Vault;
  readonly jobs: number;
  /** Of this component's loads alone. */
  readonly spoolDirectory: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (words: string) => void;
}

/** While it is loaded; by its name nobody else's is ever dropped. */
export function passingName(run: string): string {
  return `holdfast_${run.replaceAll('-', '_')}`;
}

/** Throws `NO_SNAPSHOT`, `NOT_FOUND`. */
export async function chooseSnapshot(vault: Vault, { component, snapshot }: LoadRequest): Promise<SnapshotOnCopies> {
  const dumps = (await vault.listSnapshots(component)).filter(({ kind }) => kind === 'logical');
  const found = snapshot === 'latest' ? dumps[0] : dumps.find(({ id }) => id === snapshot);
  if (found !== undefined) return found;
  if (snapshot !== 'latest') return await noDump(vault, component, snapshot);
  return fail('NO_SNAPSHOT', `'${component}' has no dump`, {
    hint: `take one with \`holdfast backup ${component} --kind logical\``,
  });
}

async function noDump(vault: Vault, component: ComponentId, id: string): Promise<never> {
  const own = await vault.findSnapshot(component, id as SnapshotId);
  if (own === undefined) return await noSnapshotOf(vault, component, id);
  return fail('NOT_FOUND', `'${id}' of '${component}' is a base backup, not a dump`, {
    hint: `\`holdfast list ${component}\` shows which are dumps; a base backup is recovered to a moment, such as \`--to ${own.to}\``,
  });
}

/** The one that is named, or the only one. Throws `NOT_FOUND`, `USAGE`. */
export function chooseDatabase({ engine, id }: SnapshotOnCopies, name: string | undefined): DumpedDatabase {
  const { databases } = engine as LogicalDetails;
  const [only, second] = databases;
  const hint = `databases in it: ${databases.map((each) => each.name).join(', ')}`;
  if (name === undefined) {
    if (only !== undefined && second === undefined) return only;
    return fail('USAGE', `dump '${id}' has several databases: name one with '--database'`, { hint });
  }
  return (
    databases.find((each) => each.name === name) ??
    fail('NOT_FOUND', `dump '${id}' has no database '${name}'`, { hint })
  );
}
