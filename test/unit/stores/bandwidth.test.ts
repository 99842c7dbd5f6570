// The bandwidth limit: its arithmetic by a clock that only moves when told, and the bytes that really pass.

import assert from 'node:assert/strict';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bandwidth, type BandwidthClock, BURST_MS, TokenBucket } from '../../../src/stores/bandwidth.ts';
import { withDeadline } from '../../../src/stores/deadline.ts';
import { FileStore } from '../../../src/stores/file-store.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import type { Store } from '../../../src/stores/store.ts';
import { testS3, wholeFile } from '../../support/components.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const never = new AbortController().signal;
const server = await testS3(wholeFile, { buckets: ['vault'] });

class ManualClock implements BandwidthClock {
  #nowMs = 0;
  #sleepers: { atMs: number; wake: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ atMs: this.#nowMs + ms, wake }));
  }

  get isAnybodyAsleep(): boolean {
    return this.#sleepers.length > 0;
  }

  advanceTo(ms: number): void {
    this.#nowMs = ms;
    const due = this.#sleepers.filter(({ atMs }) => atMs <= ms).sort((a, b) => a.atMs - b.atMs);
    this.#sleepers = this.#sleepers.filter(({ atMs }) => atMs > ms);
    for (const { wake } of due) wake();
  }

  /** Moves on from sleeper to sleeper until `work` has ended; `onStep` is called before each. */
  async drive<T>(work: Promise<T>, onStep: (nowMs: number) => void = () => {}): Promise<T> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    work.then(end, end);
    while (!isOver) {
      if (this.isAnybodyAsleep) {
        onStep(this.#nowMs);
        this.advanceTo(Math.min(...this.#sleepers.map(({ atMs }) => atMs)));
      }
      await sleep(1);
    }
    return work;
  }
}

describe('a token bucket', () => {
  it('grants what was saved up and one piece at once, and the rest by its rate', async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket(1000, clock);
    const granted: number[] = [];
    const all = [250, 500, 100, 400].map((bytes, number) => bucket.take(bytes, never).then(() => granted.push(number)));
    await sleep(5);
    assert.deepEqual(granted, [0, 1]); // 250 saved in 250 ms, then one piece in advance
    clock.advanceTo(499);
    await sleep(5);
    assert.deepEqual(granted, [0, 1]);
    clock.advanceTo(500);
    await sleep(5);
    assert.deepEqual(granted, [0, 1, 2]);
    clock.advanceTo(600);
    await Promise.all(all);
    assert.deepEqual(granted, [0, 1, 2, 3]);
  });

  it('saves up no more while it is idle', async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket(1000, clock);
    clock.advanceTo(3_600_000);
    await bucket.take(BURST_MS, never);
    await bucket.take(1, never);
    const waiting = bucket.take(1, never);
    assert.equal(await Promise.race([waiting, sleep(5, 'still waiting')]), 'still waiting');
    clock.advanceTo(3_600_001);
    await waiting;
  });

  it('lets nobody pass who was told to stop', async () => {
    const bucket = new TokenBucket(1000);
    await assert.rejects(bucket.take(1, AbortSignal.abort()));
    await bucket.take(60_000, never);
    const stop = new AbortController();
    const waiting = bucket.take(1, stop.signal);
    stop.abort();
    await assert.rejects(waiting, { name: 'AbortError' });
  });

  it('keeps the slower of two limits, and each piece small enough for many streams', async () => {
    const clock = new ManualClock();
    const both = new Bandwidth([new TokenBucket(64_000_000, clock), new TokenBucket(6_400_000, clock)]);
    assert.equal(both.pieceBytes, 65_536);
    assert.equal(new Bandwidth([new TokenBucket(1_000_000, clock)]).pieceBytes, 15_625);
    await clock.drive(both.take(6_400_000, never));
    // 97 pieces of 65,536 bytes come before the last one, which starts when they are paid: 250 ms were saved up.
    assert.equal(Math.round(clock.nowMs()), Math.round((97 * 65_536 * 1000) / 6_400_000 - BURST_MS));
  });

  it('is no reason for a deadline to pass', async () => {
    const held = withDeadline('waiting', { deadlineMs: 100 }, async (_signal, hold) => {
      await hold(() => sleep(400));
      return 'done';
    });
    assert.equal(await held, 'done');
    const late = withDeadline('waiting', { deadlineMs: 100 }, async (_signal, hold) => {
      await hold(() => sleep(10));
      await sleep(60_000, undefined, { ref: false });
    });
    await assert.rejects(late, { code: 'STORE_UNAVAILABLE', message: 'waiting got no answer within 0.1 s' });
  });
});

/** Passes everything on and counts the bytes of bodies that it has received from clients. */
async function countingProxy(t: TestContext): Promise<{ endpoint: string; received: () => number }> {
  let received = 0;
  const proxy: Server = createServer((incoming, response) => {
    incoming.on('data', (piece: Buffer) => {
      received += piece.length;
    });
    const { method, url, headers } = incoming;
    const outgoing = request(`${server.endpoint}${url}`, { method, headers, setHost: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, received: () => received };
}

describe('a limited transfer', () => {
  const rate = 1_048_576;
  const size = 2 * rate;

  async function stores(t: TestContext, bandwidth: Bandwidth) {
    const { endpoint, received } = await countingProxy(t);
    const { region, accessKeyId, secretAccessKey } = server;
    const credentials = async () => ({ accessKeyId, secretAccessKey });
    const s3 = new S3Store('eu', { bucket: 'vault', region, endpoint, credentials, bandwidth });
    t.after(() => s3.close());
    const file = new FileStore('local', await temporaryDirectory(t), bandwidth);
    const put = async (store: Store, key: string) => {
      await store.put(`warm-${key}`, Buffer.alloc(0)); // probes are not part of it
      return store.put(key, Buffer.alloc(size, key), { deadlineMs: 600_000 });
    };
    return { s3, file, put, received };
  }

  it('never lets more bytes pass than its rate grants, and all of them in the end', async (t) => {
    const clock = new ManualClock();
    const bandwidth = new Bandwidth([new TokenBucket(rate, clock)]);
    const { s3, put, received } = await stores(t, bandwidth);
    let before = 0;
    await clock.drive(
      s3.put('warm', Buffer.alloc(0)).then(() => {
        before = received();
      }),
    );
    const startedMs = clock.nowMs();
    await clock.drive(put(s3, 'paced'), (nowMs) => {
      const most = (rate * (nowMs - startedMs + BURST_MS)) / 1000 + 2 * bandwidth.pieceBytes;
      assert.ok(received() - before <= most, `${received() - before} bytes after ${nowMs} ms, at most ${most}`);
    });
    assert.equal(received() - before, size);
    assert.ok((await clock.drive(s3.get('paced'))).equals(Buffer.alloc(size, 'paced')));
  });

  it('is one limit for both directions and all stores of a process', async (t) => {
    const clock = new ManualClock();
    const host = new TokenBucket(rate, clock);
    const { s3, file, put } = await stores(t, new Bandwidth([host]));
    await clock.drive(Promise.all([put(s3, 'first'), put(file, 'second')]));
    // Two objects of two seconds each, less what was saved up and the last piece.
    const writtenMs = clock.nowMs();
    assert.ok(writtenMs > 4_000 - BURST_MS - 100 && writtenMs < 4_100, `${writtenMs} ms`);
    await clock.drive(Promise.all([s3.get('first'), file.get('second'), s3.get('first', { offset: 0, length: rate })]));
    const readMs = clock.nowMs() - writtenMs;
    assert.ok(readMs > 5_000 - BURST_MS - 100 && readMs < 5_100, `${readMs} ms`);
  });
});
