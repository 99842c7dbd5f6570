// The connections of an S3 client: TLS version and authority as configured, a proxy where the environment names one.

import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import { fail } from '../errors/index.ts';

export interface ConnectionOptions {
  readonly endpoint?: string;
  /** Lowest TLS version accepted from an https endpoint; default `1.3`. */
  readonly minimumTls?: '1.2' | '1.3';
  /** PEM file of the authority that signed the server's certificate, for a private one. Read for each connection. */
  readonly caFile?: string;
}

/** Four packs up, and small requests beside them. */
const MOST_SOCKETS = 32;

/**
 * `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are obeyed by Node's own agents (since 24.5 and 22.21); a loopback endpoint is never asked for
 * through one. Throws `STORE_UNFIT` when this Node would go past a proxy that is named.
 */
export function makeAgents(options: ConnectionOptions): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  const { endpoint, minimumTls = '1.3', caFile } = options;
  const proxy = isLoopback(endpoint) ? {} : { proxyEnv: requireProxySupport(process.env) };
  const common = { keepAlive: true, maxSockets: MOST_SOCKETS, ...proxy };
  const tls = { ...common, minVersion: `TLSv${minimumTls}` as const };
  return {
    httpAgent: new HttpAgent(common),
    httpsAgent: caFile === undefined ? new HttpsAgent(tls) : new PrivateAuthorityAgent(tls, caFile),
  };
}

type CreateConnection = HttpsAgent['createConnection'];

/** A file that cannot be read takes away its own copy, when it is needed, and not the configuration. */
class PrivateAuthorityAgent extends HttpsAgent {
  readonly #caFile: string;

  constructor(options: AgentOptions, caFile: string) {
    super(options);
    this.#caFile = caFile;
  }

  override createConnection(...[options, callback]: Parameters<CreateConnection>): ReturnType<CreateConnection> {
    return super.createConnection({ ...options, ca: readAuthority(this.#caFile) }, callback);
  }
}

function readAuthority(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    return fail('STORE_UNFIT', `the certificate of the authority '${file}' cannot be read`, {
      hint: "check 'caFile' of the copy, for the user that runs this process",
      cause,
    });
  }
}

function isLoopback(endpoint: string | undefined): boolean {
  if (endpoint === undefined) return false;
  const { hostname } = new URL(endpoint);
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}

function requireProxySupport(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const named = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find((name) => environment[name]);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isSupported = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
  if (named === undefined || isSupported) return environment;
  return fail('STORE_UNFIT', `'${named}' names a proxy, which Node ${process.versions.node} does not use`, {
    hint: 'use Node 24.5 or newer, or name the stores in NO_PROXY and unset the variable',
  });
}
