// What a worker calls itself to the server, and what others can tell by it.

import { randomUUID } from 'node:crypto';
import os from 'node:os';

const RANDOM_DIGITS = 8;
/** Only of versions that listen on every queue of their hosts. */
const LISTENS_ON_ALL = new RegExp(`#[0-9a-f]{${RANDOM_DIGITS}}$`);

/** In a container every life of a worker has the same number and name, and the server remembers the last one for minutes. */
export function newIdentity(): string {
  return `${process.pid}@${os.hostname()}#${randomUUID().slice(0, RANDOM_DIGITS)}`;
}

/** Whether whoever has this identity is of a version that knows all queues of a host: it asks for nothing on one of which all its places are taken. */
export function knowsAllQueues(identity: string | null | undefined): boolean {
  return LISTENS_ON_ALL.test(identity ?? '');
}
