// A spool that cannot be written: nothing is taken for log that is not on disk, and the log is complete once there is room again.

import assert from 'node:assert/strict';
import { appendFile, type FileHandle, mkdir, open, readFile, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { lsnFrom, segmentName } from '../../src/domain/lsn.ts';
import { toHoldfastError } from '../../src/errors/index.ts';
import { ensureSlot } from '../../src/postgres/receiver/index.ts';
import { Intake } from '../../src/postgres/receiver/intake.ts';
import { Route } from '../../src/postgres/receiver/route.ts';
import { Spool } from '../../src/postgres/receiver/spool.ts';
import { verdictOf } from '../../src/postgres/receiver/verdict.ts';
import { run } from '../../src/process/index.ts';
import { archivedRuns, compareWithDirectory } from '../support/archived-log.ts';
import { hostOf } from '../support/receiver-host.ts';
import { type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const patient = { limitMs: 240_000 };
const MiB = 1024 * 1024;
const fill = (messages: number) =>
  `select pg_logical_emit_message(false, 'filler', repeat('x', 10000)) from generate_series(1, ${messages})`;

/** The first two whole segments of a real server's log. */
async function twoSegments(server: ScratchPostgres): Promise<{ from: bigint; bytes: Buffer }> {
  await ensureSlot({ component: COMPONENT, url: server.url() }, 'peer', { immediatelyReserve: true });
  await server.query('select pg_switch_wal()');
  const [row] = await server.query('select pg_walfile_name(pg_current_wal_insert_lsn()) as name');
  const first = BigInt(`0x${row!.name!.slice(8, 16)}`) * 4096n + BigInt(`0x${row!.name!.slice(16)}`);
  await server.query(fill(300));
  await server.query('checkpoint');
  const parts = [first, first + 1n].map((segment) =>
    readFile(path.join(server.dataDirectory, 'pg_wal', segmentName(1, segment, MiB))),
  );
  return { from: first * BigInt(MiB), bytes: Buffer.concat(await Promise.all(parts)) };
}

async function intakeAt(directory: string, from: bigint): Promise<Intake> {
  const intake = new Intake(new Route(), await Spool.open(directory, MiB), MiB);
  intake.begin(1, from);
  return intake;
}

/** Every handle's next writes do what is listed, then as ever. */
async function failing(t: TestContext, directory: string, faults: readonly ('short' | 'full' | 'broken')[]) {
  const probe = await open(path.join(directory, 'probe'), 'w');
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  const left = [...faults];
  const real = prototype.write as (...of: unknown[]) => Promise<{ bytesWritten: number }>;
  const write = async (handle: FileHandle, bytes: Buffer, position: number) => {
    const fault = left.shift();
    if (fault === 'full') throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    if (fault === 'broken') throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    return await real.call(handle, bytes, 0, fault === 'short' ? bytes.length >> 1 : bytes.length, position);
  };
  t.mock.method(prototype, 'write', async function (this: FileHandle, ...of: [Buffer, number, number, number]) {
    const [bytes, offset, length, position] = of;
    return await write(this, bytes.subarray(offset, offset + length), position);
  } as never);
  t.mock.method(prototype, 'writev', async function (this: FileHandle, pieces: Buffer[], position: number) {
    return await write(this, Buffer.concat(pieces), position);
  } as never);
}

/** As a socket gives it. */
function inPieces(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 65_536) pieces.push(bytes.subarray(at, at + 65_536));
  return pieces;
}

test('log that the spool could not take is never understood, read or written over, and is begun again', async (t) => {
  const server = await startScratchPostgres(t, { major: 17, initdb: ['--wal-segsize=1'] });
  const { from, bytes } = await twoSegments(server);
  const parent = await temporaryDirectory(t);
  const step = 100_000;
  for (const [fault, code] of [
    ['full', 'NO_SPACE'],
    ['broken', 'STORE_UNAVAILABLE'],
  ] as const) {
    const intake = await intakeAt(path.join(parent, fault), from);
    await intake.append(from, inPieces(bytes.subarray(0, step)));
    await failing(t, parent, ['short', fault]);
    const end = from + BigInt(step);
    const error = toHoldfastError(
      await intake.append(end, inPieces(bytes.subarray(step, 2 * step))).catch((thrown) => thrown),
    );
    assert.equal(error.code, code);
    assert.equal(verdictOf(error), 'forget');
    assert.equal(intake.receiving?.end, end);
    assert.ok(intake.knownEnd(intake.route.last!)! <= end);
    assert.equal(intake.spool.has(1, end, end + 1n), false);
    assert.equal(await intake.spool.read(1, from, end + 1n), undefined);
    // What comes next is not taken, neither by the intake nor by the spool alone.
    const next = [end + BigInt(step), inPieces(bytes.subarray(2 * step, 3 * step))] as const;
    await assert.rejects(intake.append(...next), { code: 'OBJECT_DAMAGED' });
    await assert.rejects(intake.spool.write(1, ...next), { code: 'OBJECT_DAMAGED' });
    assert.equal(intake.spool.has(1, from, end + BigInt(2 * step)), false);
    t.mock.restoreAll();
    await intake.spool.close();
  }
});

test('a segment that cannot be opened is no log, and a write that is only short loses nothing', async (t) => {
  const server = await startScratchPostgres(t, { major: 17, initdb: ['--wal-segsize=1'] });
  const { from, bytes } = await twoSegments(server);
  const parent = await temporaryDirectory(t);
  const directory = path.join(parent, 'spool');
  const blocked = await intakeAt(directory, from);
  await mkdir(path.join(directory, segmentName(1, from / BigInt(MiB) + 1n, MiB)));
  const step = 3 * 2 ** 18;
  await blocked.append(from, inPieces(bytes.subarray(0, step)));
  const end = from + BigInt(step);
  const error = toHoldfastError(await blocked.append(end, inPieces(bytes.subarray(step))).catch((thrown) => thrown));
  assert.equal(error.code, 'STORE_UNAVAILABLE');
  assert.match(error.message, /EISDIR/);
  assert.equal(verdictOf(error), 'forget');
  assert.equal(blocked.receiving?.end, end);

  // Begun again in the same place, it has every byte.
  await blocked.spool.close();
  const again = await intakeAt(directory, from);
  await failing(t, parent, ['short', 'short', 'short']);
  for (let done = 0; done < bytes.length; done += step) {
    await again.append(from + BigInt(done), inPieces(bytes.subarray(done, done + step)));
  }
  assert.equal(again.receiving?.end, from + BigInt(2 * MiB));
  for (const start of [0, MiB]) {
    const read = await again.spool.read(1, from + BigInt(start), from + BigInt(start + MiB));
    assert.ok(read?.equals(bytes.subarray(start, start + MiB)), lsnFrom(from + BigInt(start)));
  }
  await again.spool.close();
});

test('a spool whose disk is full for a while is an outage with its name, and afterwards the log is complete', async (t) => {
  assert.equal(process.getuid?.(), 0, 'this test mounts a small file system, for which it must be root');
  const limits = { tellAfterMs: 1_000, steadyMs: 1_000 };
  const { server, vault, start, stop, receivers: first, dataDirectory, flushed } = await hostOf(t, { limits });
  const { systemId = '' } = first.state(COMPONENT) ?? {};
  // The server's own files are what is compared with: a second slot makes it keep them all.
  await ensureSlot({ component: COMPONENT, url: server.url() }, 'peer', { immediatelyReserve: true });
  await stop();
  const disk = path.join(path.dirname(dataDirectory), 'state');
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0755', 'tmpfs', disk]);
  const ballast = path.join(disk, 'ballast');
  const useUp = async () => {
    const { bavail, bsize } = await statfs(disk);
    await appendFile(ballast, Buffer.alloc(bavail * bsize)).catch((error) => {
      if (error.code !== 'ENOSPC') throw error;
    });
  };
  try {
    const receivers = start();
    await receivers.ensure(COMPONENT);
    await server.query(fill(100));
    await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(120_000));
    const outage = await waitFor(
      'the outage',
      async () => {
        await useUp();
        await server.query(fill(200));
        return receivers.reception(COMPONENT).outage;
      },
      { ...patient, pauseMs: 500 },
    );
    assert.equal(outage.code, 'NO_SPACE');
    assert.match(outage.message, /no room for .*received log in '.*\/spool\/database\/main\/\d+'$/);
    assert.notEqual(receivers.state(COMPONENT)?.phase, 'streaming');
    await rm(ballast);
    await waitFor('the end of the outage', () => receivers.reception(COMPONENT).outage === undefined, patient);
    await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(120_000));
    assert.equal(receivers.losses(COMPONENT).count, 0);
    const runs = await archivedRuns(vault.log(COMPONENT, systemId, 'local'), 1);
    assert.equal(runs.length, 1, 'the log has a gap');
    const compared = await compareWithDirectory(runs, path.join(server.dataDirectory, 'pg_wal'), 1, MiB);
    assert.ok(compared > 2 * MiB, `${compared} bytes were compared`);
  } finally {
    await stop();
    await run('umount', [disk]);
  }
});
