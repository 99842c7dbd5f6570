// The store on a bucket: the conformance suite on a real S3 server, and what only a network can do wrong.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, describe, it } from 'node:test';
import type { S3StoreOptions } from '../../../src/stores/s3-client.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { testS3, wholeFile } from '../../support/components.ts';
import { describeStore } from './conformance.ts';

let options: S3StoreOptions;
let stores = 0;

before(async () => {
  const server = await testS3(wholeFile, { buckets: ['vault'] });
  const { region, endpoint, accessKeyId, secretAccessKey } = server;
  options = { bucket: 'vault', region, endpoint, credentials: async () => ({ accessKeyId, secretAccessKey }) };
});

function newStore(changes: Partial<S3StoreOptions> = {}): S3Store {
  return new S3Store('eu', { ...options, prefix: `store-${++stores}`, ...changes });
}

describeStore({ title: 'a bucket', open: async () => newStore(), conditionalPut: true, checksumAttested: true });

/** A proxy that loses the answer to the first PUT whose path matches, after the server has stored the object. */
async function losingProxy(path: RegExp): Promise<{ endpoint: string; lost: () => number; server: Server }> {
  let lost = 0;
  const server = createServer(async (request, response) => {
    const body: Buffer[] = [];
    for await (const piece of request) body.push(piece);
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== 'connection'));
    const answer = await fetch(`${options.endpoint}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(request.method === 'PUT' && { body: Buffer.concat(body) }),
    });
    if (request.method === 'PUT' && path.test(request.url ?? '') && lost === 0) {
      lost++;
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, lost: () => lost, server };
}

describe('store on a bucket, over a network', () => {
  it('says that a bucket is missing, never that an object is', async () => {
    const store = newStore({ bucket: 'none' });
    for (const call of [store.get('a'), store.head('a'), store.list('').next(), store.put('a', Buffer.from('a'))]) {
      await assert.rejects(call, { code: 'STORE_UNFIT', hint: 'make the bucket first; Holdfast never does' });
    }
  });

  it('says that credentials were refused, without trying again', async () => {
    const credentials = async () => ({ accessKeyId: 'wrong', secretAccessKey: 'wrong' });
    const store = newStore({ credentials });
    for (const call of [store.get('a'), store.head('a'), store.list('').next(), store.put('a', Buffer.from('a'))]) {
      await assert.rejects(call, { code: 'STORE_DENIED' });
    }
  });

  it('gives up at its deadline when nothing answers', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const store = newStore({ endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    await assert.rejects(store.head('a', { deadlineMs: 500 }), { code: 'STORE_UNAVAILABLE' });
    await store.close();
    silent.closeAllConnections();
    silent.close();
    const refused = newStore({ endpoint: 'http://127.0.0.1:9' });
    await assert.rejects(refused.get('a', undefined, { deadlineMs: 1_000 }), { code: 'STORE_UNAVAILABLE' });
  });

  it('knows its own object again when the answer to the put was lost', async () => {
    const proxy = await losingProxy(/mine/);
    const store = newStore({ endpoint: proxy.endpoint });
    await store.put('mine', Buffer.from('ours'));
    assert.equal(proxy.lost(), 1);
    assert.equal((await store.get('mine')).toString(), 'ours');
    await assert.rejects(store.put('mine', Buffer.from('ours')), { code: 'OBJECT_EXISTS' });
    await store.close();
    proxy.server.closeAllConnections();
    proxy.server.close();
  });

  it('never tells a secret in an error', async () => {
    const secretAccessKey = 'a-secret-nobody-may-see';
    const store = newStore({ credentials: async () => ({ accessKeyId: 'AKIDWRONG', secretAccessKey }) });
    const error = await store.get('a').catch((reason: unknown) => reason);
    assert.ok(!JSON.stringify(error).includes(secretAccessKey));
    assert.ok(!String((error as Error).stack).includes(secretAccessKey));
  });
});
