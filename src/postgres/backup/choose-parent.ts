// What an incremental capture can be laid over: the newest clean base backup that this server's log goes on from, and that can still be referred to.

import type { ComponentId } from '../../domain/component.ts';
import { compareLsn, type Lsn } from '../../domain/lsn.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import type { PhysicalDetails } from '../types.ts';
import { becomesFull } from './becomes-full.ts';
import type { SourceFacts } from './physical-details.ts';

/** Retention classes of base backups. */
export const captureClasses = { full: 'full', incremental: 'incremental' } as const;

export interface ServerNow {
  readonly systemId: string;
  readonly timeline: number;
  readonly flushLsn: Lsn;
  readonly pageSizeBytes: number;
}

const FIRST_MAJOR = 17;
/** A restore would read more than so many times the data: each capture laid over another scatters it further. */
const MOST_SCATTERED = 2;

/** Throws `BecomesFull` for a server that takes no incremental backups. */
export function requireIncremental({ major, summarizesLog }: SourceFacts): void {
  if (major < FIRST_MAJOR) becomesFull(`PostgreSQL ${major} has no incremental backups, ${FIRST_MAJOR} is the first`);
  if (!summarizesLog) {
    becomesFull(
      "the server's setting 'summarize_wal' is off; run: ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();",
    );
  }
}

/** `generations`: those whose chunks may be referred to. Throws `BecomesFull` with what is against the newest where none fits. */
export async function chooseParent(
  vault: Vault,
  component: ComponentId,
  server: ServerNow,
  generations: ReadonlySet<string>,
): Promise<SnapshotOnCopies> {
  const all = (await vault.listSnapshots(component)).filter(
    ({ kind, class: name }) => kind === 'physical' && Object.hasOwn(captureClasses, name),
  );
  const newestFirst = all.sort((a, b) => (a.to < b.to ? 1 : a.to > b.to ? -1 : 0));
  const judged = newestFirst.map((snapshot) => ({ snapshot, against: objection(snapshot, server, generations) }));
  const fit = judged.find(({ against }) => against === undefined);
  if (fit === undefined) return becomesFull(judged[0]?.against ?? 'there is no base backup yet');
  const { chunkBytes = 0, sizeBytes } = fit.snapshot.engine as PhysicalDetails;
  if (chunkBytes > MOST_SCATTERED * sizeBytes)
    becomesFull(`the files of base backup ${fit.snapshot.id} lie too scattered in what is stored`);
  return fit.snapshot;
}

function objection(
  { id, state, generation, engine }: SnapshotOnCopies,
  server: ServerNow,
  generations: ReadonlySet<string>,
): string | undefined {
  const { systemId, timeline, stopLsn, pageSizeBytes } = engine as PhysicalDetails;
  if (state !== 'clean') return `base backup ${id} has damaged pages`;
  if (systemId !== server.systemId) return `base backup ${id} is of another cluster`;
  if (timeline !== server.timeline)
    return `base backup ${id} is on timeline ${timeline}, the server is on ${server.timeline}`;
  if (pageSizeBytes !== server.pageSizeBytes) return `base backup ${id} has pages of another size`;
  if (compareLsn(stopLsn, server.flushLsn) > 0)
    return `base backup ${id} ends at ${stopLsn}, ahead of the server, which is at ${server.flushLsn}`;
  return generations.has(generation) ? undefined : `base backup ${id} is of a generation that is over`;
}
