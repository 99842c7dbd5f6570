// A process for tests: restores the newest snapshot into a running server, slowly at the moment of the exchange, until somebody kills it.

import { setTimeout as sleep } from 'node:timers/promises';
import { identify, RedisConnection, restoreLive } from '../../src/redis/index.ts';
import { openFileVault } from './open-vault.ts';

const [keyFile = '', copy = '', directory = '', url = '', programs = ''] = process.argv.slice(2);
const vault = await openFileVault({ keyFile, copies: [{ name: 'local', path: copy, offsite: false }] });
const [snapshot] = await vault.listSnapshots();
if (snapshot === undefined) throw new Error('there is no snapshot');
const connection = await RedisConnection.open({ url });
const { runId } = await identify(connection);
connection.close();
const signal = new AbortController().signal;
await restoreLive({ vault, snapshot, directory, source: { url }, programs, runId, signal });
// Whoever started this kills it, here at the latest.
await sleep(600_000);
