// A Git server over HTTP that wants a password: Git's own backend behind Node, and an eye on the arguments of every process meanwhile.

import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

export interface GitServer {
  readonly url: string;
  /** Requests that were let in, and what of the password stood in arguments of a process while they were answered. */
  readonly letIn: () => number;
  readonly seenInArguments: readonly string[];
  close(): Promise<void>;
}

export async function gitServer(repository: string, user: string, password: string): Promise<GitServer> {
  const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const seenInArguments: string[] = [];
  let letIn = 0;
  const server = createServer((request, response) => {
    if (request.headers.authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('who are you');
      return;
    }
    letIn++;
    void argumentsWith([password, wanted.slice('Basic '.length)]).then((found) => {
      seenInArguments.push(...found);
      backend(repository, request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/${path.basename(repository)}`,
    letIn: () => letIn,
    seenInArguments,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function backend(repository: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn('git', ['-c', 'http.receivepack=true', 'http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: path.dirname(repository),
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'robot',
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
      ...(request.headers['git-protocol'] && { HTTP_GIT_PROTOCOL: String(request.headers['git-protocol']) }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(child.stdin);
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  child.on('close', () => {
    const answer = Buffer.concat(parts);
    const end = answer.indexOf('\r\n\r\n');
    const headers = answer.toString('latin1', 0, end).split('\r\n');
    const status = headers.find((line) => line.startsWith('Status: '))?.slice('Status: '.length, 'Status: '.length + 3);
    for (const line of headers.filter((each) => !each.startsWith('Status: '))) {
      const [name = '', value = ''] = line.split(': ');
      response.setHeader(name, value);
    }
    response.writeHead(Number(status ?? 200)).end(answer.subarray(end + 4));
  });
}

/** Command lines of this moment that hold one of the words. */
async function argumentsWith(words: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (words.some((word) => line.includes(word))) found.push(line);
  }
  return found;
}
