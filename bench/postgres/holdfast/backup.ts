// A base backup as the activity takes it, and its verification; the receiver, another process here, brings the log.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { factsChoice } from '../../../activities/lib/facts-choice.ts';
import { resolveSecret, stateDirectoryOf } from '../../../config/index.ts';
import { compareLsn, type Lsn } from '../../../src/domain/lsn.ts';
import { fail } from '../../../src/errors/index.ts';
import { takeBaseBackup } from '../../../src/postgres/backup/index.ts';
import { identify } from '../../../src/postgres/identity.ts';
import { requireLog, type SnapshotId } from '../../../src/vault/index.ts';
import { HOST, logger, type Operation, Steps, withVault } from './operation.ts';

/** As often as a worker looks (`src/temporal/log-on-copy.ts`). */
const lookMs = 250;
const patienceMs = 120_000;

export const backup: Operation = async ({ configuration, database, arrivals, incremental, steps: file }) => {
  const steps = new Steps(file);
  await withVault(configuration, 'backup', async (vault) => {
    steps.done('open');
    let isReading = false;
    const source = { component: database.id, url: await resolveSecret(database.url) };
    const { systemId } = await identify(source);
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
    const spoolDirectory = path.join(stateDirectoryOf(configuration, HOST), 'parents');
    const snapshot = await takeBaseBackup({
      ...{ source, vault, logger, signal: new AbortController().signal },
      request: {
        snapshotId: `${stamp}Z-${randomBytes(4).toString('hex')}` as SnapshotId,
        component: database.id,
        host: HOST,
      },
      facts: factsChoice(database),
      way: database.reading.way,
      ...(incremental && { incremental: { spoolDirectory } }),
      onProgress: () => {
        if (!isReading) steps.done('prepare');
        isReading = true;
      },
      waitForLog: async (copy, timeline, from, to) => {
        steps.done('read');
        await reached(arrivals, to);
        steps.done('log');
        await requireLog(vault.log(database.id, systemId, copy), timeline, from, to);
      },
    });
    steps.done('commit');
    const { capture, fullBecause, way, streamBecause } = snapshot.engine as Record<string, string | undefined>;
    // A full backup under the name of an incremental one is no result.
    if (incremental && capture !== 'incremental') fail('CHECK_FAILED', `taken in full: ${fullBecause}`);
    if (!incremental && database.reading.way === 'auto' && way !== 'files') {
      fail('CHECK_FAILED', `read by the stream: ${streamBecause}`);
    }
    if (snapshot.state !== 'clean') fail('CHECK_FAILED', `the snapshot is ${snapshot.state}`);
    for (const { name } of vault.copies) await vault.verifyCopy(database.id, snapshot.id, name);
    steps.done('look again');
  });
  await steps.write();
};

async function reached(arrivals: string, lsn: Lsn): Promise<void> {
  for (const giveUpAt = Date.now() + patienceMs; ; await sleep(lookMs)) {
    const [, at] = (await readFile(arrivals, 'utf8')).trimEnd().split('\n').at(-1)?.split(' ') ?? [];
    if (at !== undefined && compareLsn(at as Lsn, lsn) >= 0) return;
    if (Date.now() > giveUpAt) fail('CHECK_FAILED', `the log is durable to ${at}, not to ${lsn}`);
  }
}
