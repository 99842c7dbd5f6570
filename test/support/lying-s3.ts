// A proxy in front of an S3 server that lies about chosen objects: drops writes that it confirms, gives old bytes, or only some of them.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Lie =
  /** The next put is confirmed with the checksum that was sent, and goes nowhere. */
  | 'drop'
  /** A put under a name that is taken is confirmed, as by a store that does not know conditions. */
  | 'unconditional'
  /** Gets answer what the first get of the same did. */
  | 'stale'
  /** Gets answer bytes of another object that was read before. */
  | 'other'
  /** Gets answer half of the bytes, and call that all. */
  | 'truncate'
  /** Gets end in the middle of the bytes that were announced. */
  | 'cut'
  /** Everything is refused, as without a permission. */
  | 'deny';

export interface LyingS3 {
  readonly endpoint: string;
  /** Lies about paths (with the query) that match, until told otherwise; `undefined`: tells the truth. */
  lie(lie: Lie | undefined, path?: RegExp): void;
  /** How often it lied since. */
  readonly lies: number;
}

/** Ends with the test. */
export async function startLyingS3(t: { after(fn: () => void): void }, target: string): Promise<LyingS3> {
  let current: { readonly lie: Lie; readonly path: RegExp } | undefined;
  let lies = 0;
  const remembered = new Map<string, { headers: IncomingMessage['headers']; body: Buffer }>();

  const forward = async (incoming: IncomingMessage, body: Buffer) => {
    const { method, url, headers } = incoming;
    return new Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }>((resolve, reject) => {
      const outgoing = request(`${target}${url}`, { method, headers, setHost: false }, (answer) => {
        collect(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 500, headers: answer.headers, body: bytes }),
          reject,
        );
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  };

  const another = (url: string, length: number): Buffer => {
    const found = [...remembered].find(([place, { body }]) => !place.startsWith(`${url} `) && body.length >= length);
    return found?.[1].body.subarray(0, length) ?? Buffer.alloc(length);
  };

  const answer = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '' } = incoming;
    const body = await collect(incoming);
    const lie = current?.path.test(decodeURIComponent(url)) ? current.lie : undefined;
    const confirm = () => {
      lies++;
      const sum = createHash('sha256').update(body).digest('base64');
      response.writeHead(200, { 'x-amz-checksum-sha256': sum, etag: '"0"', 'content-length': 0 }).end();
    };
    if (lie === 'drop' && method === 'PUT') return confirm();
    if (lie === 'deny') {
      lies++;
      const said = '<Error><Code>AccessDenied</Code><Message>not permitted</Message></Error>';
      response.writeHead(403, { 'content-type': 'application/xml' }).end(said);
      return;
    }
    const real = await forward(incoming, body);
    if (lie === 'unconditional' && method === 'PUT' && real.status === 412) return confirm();
    const place = `${url} ${incoming.headers.range ?? ''}`;
    if (method === 'GET' && !remembered.has(place)) remembered.set(place, { headers: real.headers, body: real.body });
    if (method !== 'GET' || real.status >= 300 || lie === undefined || lie === 'drop' || lie === 'unconditional') {
      response.writeHead(real.status, real.headers).end(method === 'HEAD' ? undefined : real.body);
      return;
    }
    lies++;
    const old = lie === 'stale' ? remembered.get(place) : undefined;
    const bytes = lie === 'other' ? another(url, real.body.length) : (old?.body ?? real.body);
    const half = bytes.subarray(0, Math.floor(bytes.length / 2));
    if (lie === 'cut') {
      response.writeHead(real.status, real.headers).write(half, () => response.destroy());
      return;
    }
    const told = lie === 'truncate' ? half : bytes;
    const { 'x-amz-checksum-sha256': _sum, 'content-range': range, ...headers } = old?.headers ?? real.headers;
    const kept = { ...headers, ...(range && { 'content-range': range }), 'content-length': told.length };
    response.writeHead(real.status, kept).end(told);
  };

  const server = createServer((incoming, response) => {
    answer(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lie: (lie, path = /./) => {
      lies = 0;
      current = lie && { lie, path };
    },
    get lies() {
      return lies;
    },
  };
}

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
