// The store on a bucket: the conformance suite on a real S3 server, and what only a network can do wrong.

import assert from 'node:assert/strict';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3StoreOptions } from '../../../src/stores/s3-client.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { testS3, wholeFile } from '../../support/components.ts';
import { waitFor } from '../../support/wait-for.ts';
import { describeStore } from './conformance.ts';

const { region, endpoint, accessKeyId, secretAccessKey } = await testS3(wholeFile, { buckets: ['vault'] });
const credentials = async () => ({ accessKeyId, secretAccessKey });
const options: S3StoreOptions = { bucket: 'vault', region, endpoint, credentials };

const opened: S3Store[] = [];
after(() => Promise.all(opened.map((store) => store.close())));

function newStore(changes: Partial<S3StoreOptions> = {}): S3Store {
  const store = new S3Store('eu', { ...options, prefix: `store-${opened.length}`, ...changes });
  opened.push(store);
  return store;
}

describeStore({ title: 'a bucket', open: async () => newStore(), conditionalPut: true, checksumAttested: true });

const everyCall = (store: S3Store): (() => Promise<unknown>)[] => [
  () => store.get('a'),
  () => store.head('a'),
  () => store.list('').next(),
  () => store.put('a', Buffer.from('a')),
];

/** Listens until the test ends; gives its address. */
async function listen(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A proxy that loses the answer to the first PUT whose path matches, after the server has stored the object. */
function losingProxy(path: RegExp): Server {
  let lost = false;
  return createServer((incoming, response) => {
    const { method, url, headers } = incoming;
    const outgoing = request(`${endpoint}${url}`, { method, headers, setHost: false }, (answer) => {
      if (method === 'PUT' && path.test(url ?? '') && !lost) {
        lost = true;
        answer.resume().once('end', () => incoming.socket.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(outgoing);
  });
}

describe('store on a bucket, over a network', () => {
  it('says that a bucket is missing, never that an object is', async () => {
    const store = newStore({ bucket: 'none' });
    // Not the put: this server makes a bucket for an administrator who stores into it.
    for (const call of everyCall(store).slice(0, 3)) {
      await assert.rejects(call(), { code: 'STORE_UNFIT', hint: 'make the bucket first; Holdfast never does' });
    }
  });

  it('says that credentials were refused, without trying again', async () => {
    const credentials = async () => ({ accessKeyId: 'wrong', secretAccessKey: 'wrong' });
    const store = newStore({ credentials });
    for (const call of everyCall(store)) {
      await assert.rejects(call(), { code: 'STORE_DENIED' });
    }
  });

  it('gives up at its deadline when nothing answers', async (t) => {
    const silent = newStore({
      endpoint: await listen(
        t,
        createServer(() => {}),
      ),
    });
    await assert.rejects(silent.head('a', { deadlineMs: 500 }), { code: 'STORE_UNAVAILABLE' });
    const refused = newStore({ endpoint: 'http://127.0.0.1:9' });
    await assert.rejects(refused.get('a', undefined, { deadlineMs: 1_000 }), { code: 'STORE_UNAVAILABLE' });
  });

  it('asks nothing more once it is closed, also what it asks for all callers', async (t) => {
    const hanging = createServer(() => {});
    const sockets = new Set<Socket>();
    hanging.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    const store = newStore({ endpoint: await listen(t, hanging) });
    // A listing must know first whether the bucket keeps versions.
    await assert.rejects(store.list('', { deadlineMs: 500 })[Symbol.asyncIterator]().next(), {
      code: 'STORE_UNAVAILABLE',
    });
    await waitFor('that question, which goes on for whoever asks next', () => sockets.size === 1);
    await store.close();
    await waitFor('the last connection to end', () => sockets.size === 0);
    let late = 0;
    hanging.on('connection', () => late++);
    // A call that went on would try again within half a second.
    await sleep(2_000);
    assert.equal(late, 0);
  });

  it('knows its own object again when the answer to the put was lost', async (t) => {
    const store = newStore({ endpoint: await listen(t, losingProxy(/mine/)) });
    await store.put('mine', Buffer.from('ours'));
    assert.equal((await store.get('mine')).toString(), 'ours');
    await assert.rejects(store.put('mine', Buffer.from('ours')), { code: 'OBJECT_EXISTS' });
  });

  it('never tells a secret in an error', async () => {
    const secretAccessKey = 'a-secret-nobody-may-see';
    const store = newStore({ credentials: async () => ({ accessKeyId: 'AKIDWRONG', secretAccessKey }) });
    const error = await store.get('a').catch((reason: unknown) => reason);
    assert.ok(!JSON.stringify(error).includes(secretAccessKey));
    assert.ok(!String((error as Error).stack).includes(secretAccessKey));
  });
});
