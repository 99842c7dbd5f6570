// Free ports on loopback that no other sandbox or test will take between finding them and using them.

import net from 'node:net';
import { fail } from '../errors/index.ts';

/** Below 32,768, where the kernel hands out ports to outgoing connections and to whoever listens on port 0. */
const firstPort = 10_000;
const portCount = 10_000;
const attempts = 2_000;

export interface PortReservation {
  readonly ports: readonly number[];
  /** To be called when the servers listen: from then on the ports are taken for everybody to see. */
  release(): void;
}

/**
 * Reserves ports among all processes of this host that reserve them here, until released or until this process ends.
 * With `companion`, the port 10,000 above each is free and reserved too.
 */
export async function reservePorts(count: number, { companion = false } = {}): Promise<PortReservation> {
  const leases: net.Server[] = [];
  const ports: number[] = [];
  for (let attempt = 0; ports.length < count; attempt++) {
    if (attempt > attempts) fail('TARGET_UNFIT', `no ${count} free ports were found on 127.0.0.1`);
    const port = firstPort + Math.floor(Math.random() * portCount);
    const wanted = companion ? [port, port + portCount] : [port];
    const taken = await leaseAll(wanted);
    if (taken === undefined) continue;
    leases.push(...taken);
    ports.push(port);
  }
  return { ports, release: () => closeAll(leases) };
}

async function leaseAll(ports: readonly number[]): Promise<net.Server[] | undefined> {
  const leases: net.Server[] = [];
  for (const port of ports) {
    const lease = await leaseOne(port);
    if (lease === undefined) {
      closeAll(leases);
      return undefined;
    }
    leases.push(lease);
  }
  return leases;
}

/**
 * The lease is a socket in the abstract name space (unix(7)): only one process can have the name, it needs no file, and
 * the kernel takes it back when the process dies.
 */
async function leaseOne(port: number): Promise<net.Server | undefined> {
  const lease = await listen({ path: `\0holdfast-port-${port}` });
  if (lease === undefined) return undefined;
  const probe = await listen({ host: '127.0.0.1', port });
  if (probe === undefined) {
    lease.close();
    return undefined;
  }
  await new Promise((resolve) => probe.close(resolve));
  return lease;
}

function listen(where: net.ListenOptions): Promise<net.Server | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.unref();
    server.once('error', () => resolve(undefined));
    server.listen({ ...where, exclusive: true }, () => resolve(server));
  });
}

function closeAll(servers: readonly net.Server[]): void {
  for (const server of servers) server.close();
}
