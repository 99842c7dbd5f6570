// A recovering server that goes back, one that was asking before the feed began, and what one that is gone had asked for.

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { startLogFeed } from '../../../../src/postgres/recovery/log-feed.ts';
import { restorePaths } from '../../../../src/postgres/recovery/paths.ts';
import { restoreCommand } from '../../../../src/postgres/recovery/restore-command.ts';
import type { RestorePlan } from '../../../../src/postgres/types.ts';
import { tryRun } from '../../../../src/process/index.ts';
import type { Vault } from '../../../../src/vault/types.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';
import { waitFor } from '../../../support/wait-for.ts';

const SEGMENT_BYTES = 2 ** 20;
const hex = (n: number) => n.toString(16).toUpperCase().padStart(8, '0');
const segments = Array.from({ length: 40 }, (_, index) => ({
  name: `00000001${hex(0)}${hex(index + 1)}`,
  timeline: 1,
  fromLsn: `0/${hex((index + 1) * SEGMENT_BYTES)}`,
  toLsn: `0/${hex((index + 2) * SEGMENT_BYTES)}`,
}));

/** Its log is served from memory. */
async function setting(t: TestContext) {
  const dataDirectory = path.join(await temporaryDirectory(t), 'data');
  const run = 'restore-00000001';
  const objects = segments.map((segment) => ({
    ...segment,
    kind: 'segment',
    key: segment.name,
    segment: segment.name,
  }));
  const log = {
    copy: 'local',
    list: async () => ({ objects, histories: [] }),
    read: async ({ fromLsn, toLsn }: { fromLsn: string; toLsn: string }) => ({
      header: { fromLsn, toLsn },
      bytes: Buffer.alloc(SEGMENT_BYTES, 1),
    }),
  };
  const vault = { copies: [{ name: 'local' }], log: () => log } as unknown as Vault;
  const plan = {
    ...{ run, component: 'database/main', source: { systemId: '7', segmentSizeBytes: SEGMENT_BYTES } },
    ...{ place: { mode: 'beside', dataDirectory, start: false }, execution: {} },
    log: { copy: 'local', segments, histories: [] },
  } as unknown as RestorePlan;
  const paths = restorePaths(dataDirectory, run);
  await mkdir(path.join(paths.data, 'pg_wal'), { recursive: true });
  await mkdir(path.join(paths.spool, 'wanted'), { recursive: true });
  const script = path.join(path.dirname(dataDirectory), 'command.sh');
  await writeFile(script, restoreCommand(paths));
  const target = path.join(paths.data, 'pg_wal', 'RECOVERYXLOG');
  const ask = async (index: number) => {
    await rm(target, { force: true });
    const { exitCode } = await tryRun('sh', [script, segments[index]?.name ?? '', target], { deadlineMs: 120_000 });
    assert.equal(exitCode, 0, `segment ${index}`);
  };
  return { paths, ask, begin: () => startLogFeed(plan, vault) };
}

test('a server that goes back to its last restart point is answered, whoever asked further ahead before', async (t) => {
  const { paths, ask, begin } = await setting(t);
  await writeFile(path.join(paths.spool, 'wanted', segments[20]?.name ?? ''), '');
  const feed = await begin();
  try {
    for (const index of [5, 6, 7, 30, 31, 2, 3, 4, 31]) await ask(index);
    // Of a file that was ready the feed hears after the server has it.
    await waitFor('the feed to hear of the last one', () => feed.progress.segments === 32);
  } finally {
    await feed.stop();
  }
});

test('who asks while one feed ends and the next begins is answered by that one', async (t) => {
  const { ask, begin } = await setting(t);
  const first = await begin();
  await ask(0);
  await first.stop();
  const asking = ask(30);
  const second = await begin();
  try {
    await asking;
  } finally {
    await second.stop();
  }
});
