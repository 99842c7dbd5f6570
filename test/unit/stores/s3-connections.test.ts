// How a bucket is reached: TLS and certificates, proxies, credentials of the environment, answers that never come, and stores that are busy.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { SecureVersion } from 'node:tls';
import type { S3StoreOptions } from '../../../src/stores/s3-client.ts';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { makeAuthority } from '../../support/certificates.ts';
import { testS3, wholeFile } from '../../support/components.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const server = await testS3(wholeFile, { buckets: ['vault'] });
const { region, endpoint, accessKeyId, secretAccessKey } = server;
const credentials = async () => ({ accessKeyId, secretAccessKey });
const authority = makeAuthority();
const text = Buffer.from('text');

async function listen(t: TestContext, listener: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    if ('closeAllConnections' in listener) listener.closeAllConnections();
    listener.close();
  });
  return (listener.address() as AddressInfo).port;
}

function storeAt(t: TestContext, changes: Partial<S3StoreOptions>): S3Store {
  const store = new S3Store('eu', {
    bucket: 'vault',
    region,
    credentials,
    prefix: t.name.replace(/\W+/g, '-'),
    ...changes,
  });
  t.after(() => store.close());
  return store;
}

/** Hands everything on to the S3 server, with the host that the client signed. */
const handOn: RequestListener = (incoming, response) => {
  const { method, headers } = incoming;
  const { pathname, search } = new URL(incoming.url ?? '/', 'http://any');
  const outgoing = request(`${endpoint}${pathname}${search}`, { method, headers, setHost: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  incoming.pipe(outgoing);
};

async function tlsFront(
  t: TestContext,
  { host = '127.0.0.1', maxVersion = 'TLSv1.3' as SecureVersion, by = authority } = {},
): Promise<number> {
  const { certificate, key } = by.issue(host);
  const options = { cert: certificate, key, minVersion: 'TLSv1.2' as const, maxVersion };
  return listen(t, createTlsServer(options, handOn));
}

async function caFile(t: TestContext, certificate = authority.certificate): Promise<string> {
  const file = path.join(await temporaryDirectory(t), 'ca.pem');
  await writeFile(file, certificate);
  return file;
}

describe('TLS to a bucket', () => {
  it('is 1.3 with a certificate of the authority that is configured', async (t) => {
    const port = await tlsFront(t);
    const store = storeAt(t, { endpoint: `https://127.0.0.1:${port}`, caFile: await caFile(t) });
    await store.put('a', text);
    assert.ok((await store.get('a')).equals(text));
  });

  it('of an older version is refused at once, and the setting named that would allow it', async (t) => {
    const port = await tlsFront(t, { maxVersion: 'TLSv1.2' });
    const place = { endpoint: `https://127.0.0.1:${port}`, caFile: await caFile(t) };
    await assert.rejects(storeAt(t, place).head('a'), { code: 'STORE_UNFIT', hint: /`minimumTls: '1\.2'`$/ });
    assert.equal(await storeAt(t, { ...place, minimumTls: '1.2' }).head('a'), undefined);
  });

  it('with a certificate of another authority or for another host is refused', async (t) => {
    const stranger = await tlsFront(t, { by: makeAuthority('somebody else') });
    const elsewhere = await tlsFront(t, { host: 'elsewhere.example' });
    const unknown = await tlsFront(t);
    const ca = await caFile(t);
    for (const [port, options] of [
      [stranger, { caFile: ca }],
      [elsewhere, { caFile: ca }],
      [unknown, {}],
    ] as const) {
      const store = storeAt(t, { endpoint: `https://127.0.0.1:${port}`, ...options });
      await assert.rejects(store.head('a'), { code: 'STORE_UNFIT', hint: /'caFile' of the copy$/ });
    }
  });

  it('takes away only its own copy when the file of the authority cannot be read', async (t) => {
    const store = storeAt(t, { endpoint: 'https://127.0.0.1:1', caFile: '/nowhere/ca.pem' });
    await assert.rejects(store.head('a'), { code: 'STORE_UNFIT', message: /'\/nowhere\/ca\.pem' cannot be read$/ });
  });
});

/** A proxy that knows where `s3.test.invalid` is, which nobody else does; counts what went through it. */
async function proxy(t: TestContext): Promise<{ url: string; tunnels: string[]; requests: string[] }> {
  const [tunnels, requests]: [string[], string[]] = [[], []];
  const listener = createServer((incoming, response) => {
    requests.push(incoming.url ?? '');
    handOn(incoming, response);
  });
  listener.on('connect', (incoming, socket, head) => {
    tunnels.push(incoming.url ?? '');
    const port = Number(incoming.url?.split(':')[1]);
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [onward, socket]) end.on('error', () => [onward, socket].forEach((each) => void each.destroy()));
    t.after(() => void onward.destroy());
  });
  return { url: `http://127.0.0.1:${await listen(t, listener)}`, tunnels, requests };
}

function withEnvironment(t: TestContext, variables: Record<string, string | undefined>): void {
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]));
  const set = (values: Record<string, string | undefined>) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(variables);
  t.after(() => set(before));
}

describe('a proxy that the environment names', () => {
  it('carries TLS to the endpoint, with version and certificate checked end to end', async (t) => {
    const { url, tunnels } = await proxy(t);
    withEnvironment(t, { HTTPS_PROXY: url, NO_PROXY: undefined });
    const port = await tlsFront(t, { host: 's3.test.invalid' });
    const place = { endpoint: `https://s3.test.invalid:${port}`, caFile: await caFile(t) };
    const store = storeAt(t, place);
    await store.put('a', text);
    assert.ok((await store.get('a')).equals(text));
    assert.equal(tunnels[0], `s3.test.invalid:${port}`);
    const old = await tlsFront(t, { host: 's3.test.invalid', maxVersion: 'TLSv1.2' });
    const refused = storeAt(t, { ...place, endpoint: `https://s3.test.invalid:${old}` });
    await assert.rejects(refused.head('a'), { code: 'STORE_UNFIT', hint: /minimumTls/ });
    const wrong = storeAt(t, { endpoint: place.endpoint });
    await assert.rejects(wrong.head('a'), { code: 'STORE_UNFIT', hint: /caFile/ });
  });

  it('carries plain requests, and none for hosts that it shall not, nor to this machine', async (t) => {
    const { url, requests, tunnels } = await proxy(t);
    withEnvironment(t, { HTTP_PROXY: url, NO_PROXY: 'other.test.invalid' });
    const store = storeAt(t, { endpoint: 'http://s3.test.invalid:9000' });
    await store.put('a', text);
    assert.ok(requests.some((each) => each.startsWith('http://s3.test.invalid:9000/')));
    const seen = requests.length;
    const direct = storeAt(t, { endpoint: 'http://other.test.invalid:9000' });
    await assert.rejects(direct.head('a', { deadlineMs: 2_000 }), { code: 'STORE_UNAVAILABLE' });
    assert.equal(await storeAt(t, { endpoint }).head('none'), undefined);
    assert.equal(requests.length, seen);
    assert.deepEqual(tunnels, []);
  });
});

describe('credentials of the environment', () => {
  it('serve where the configuration names none', async (t) => {
    withEnvironment(t, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    const { credentials: _none, ...options } = { bucket: 'vault', region, endpoint, credentials };
    const store = new S3Store('eu', options);
    t.after(() => store.close());
    await store.put('environment', text);
    assert.ok((await store.get('environment')).equals(text));
  });
});

/** Answers the first requests with these, then hands on. A number is a status, `cut` ends the connection. */
function stumbling(answers: (number | 'cut')[]): { listener: Server; left: () => number } {
  const rest = [...answers];
  const listener = createServer((incoming, response) => {
    const next = rest.shift();
    if (next === undefined) return handOn(incoming, response);
    if (next === 'cut') return void incoming.socket.destroy();
    incoming.resume().once('end', () => response.writeHead(next, { 'content-length': 0 }).end());
  });
  return { listener, left: () => rest.length };
}

describe('a bucket that stumbles', () => {
  it('is asked again after busy, conflict, error and cut connection', async (t) => {
    const { listener, left } = stumbling([503, 429, 409, 500, 'cut']);
    const store = storeAt(t, { endpoint: `http://127.0.0.1:${await listen(t, listener)}` });
    await store.put('a', text, { ifAbsent: false });
    assert.equal(left(), 0);
    assert.ok((await store.get('a')).equals(text));
  });

  it('is given up within the deadline, whatever it goes on answering', async (t) => {
    const { listener } = stumbling(Array.from({ length: 1_000 }, () => 503));
    const store = storeAt(t, { endpoint: `http://127.0.0.1:${await listen(t, listener)}` });
    await assert.rejects(store.get('a', undefined, { deadlineMs: 1_500 }), { code: 'STORE_UNAVAILABLE' });
  });

  it('that takes a connection and never says a word is given up at the deadline', async (t) => {
    const listener = createTcpServer((socket) => t.after(() => socket.destroy()));
    const port = await listen(t, listener);
    for (const scheme of ['http', 'https']) {
      const store = storeAt(t, { endpoint: `${scheme}://127.0.0.1:${port}` });
      const call = { deadlineMs: 800 };
      const asked = [store.head('a', call), store.put('a', text, call), store.list('', call).next()];
      await Promise.all(asked.map((ask) => assert.rejects(ask, { code: 'STORE_UNAVAILABLE' })));
    }
  });
});
