// Tells the server what the parent of an incremental backup holds: `UPLOAD_MANIFEST` (PostgreSQL manual, "Streaming Replication Protocol").

import { fail } from '../../errors/index.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import { readAnswer } from '../protocol/result.ts';

const doing = "upload the parent's manifest";
const SILENCE_MS = 10 * 60_000;

/** Throws what the server says against it; the connection is of no use then. */
export async function uploadManifest(
  connection: ReplicationConnection,
  manifest: AsyncIterable<Buffer>,
): Promise<void> {
  const { wire } = connection;
  const { type } = await connection.command(doing, 'UPLOAD_MANIFEST', SILENCE_MS);
  if (type !== 'copy') fail('BACKUP_INVALID', 'the server takes no manifest');
  try {
    for await (const bytes of manifest) {
      wire.copyData(bytes);
      await wire.drained(SILENCE_MS);
    }
    wire.copyDone();
    await readAnswer(wire, SILENCE_MS);
  } catch (error) {
    throw connection.explain(error, doing);
  }
}
