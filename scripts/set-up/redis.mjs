// Fetches the servers of Redis 7, Redis 8 and Valkey that the tests start, each with its tools, from the Debian suites that have them.
import path from 'node:path';
import { ensureFromDebian } from './later-debian.mjs';

/** The first suite of a line is the one that has it; the next one is asked when that has moved on. */
const servers = {
  redis7: { flavour: 'redis', version: '7.0', suites: ['bookworm'] },
  redis8: { flavour: 'redis', version: '8.0', suites: ['trixie', 'forky'] },
  valkey: { flavour: 'valkey', version: '8.1', suites: ['trixie', 'forky'] },
};
const ask = ['--version'];
/** `-check-aof` takes a version for a file. */
const parts = { server: { ask }, 'check-rdb': { ask }, 'check-aof': {}, cli: { ask } };

async function ensureServer(name, { flavour, version, suites }, note) {
  const programs = Object.entries(parts).map(([part, how]) => [`${flavour}-${part}`, { ...how, version }]);
  const packages = { [`${flavour}-server`]: version, [`${flavour}-tools`]: version };
  const wanted = { folder: `${name}-debian`, suites, packages, programs: Object.fromEntries(programs) };
  const found = (await ensureFromDebian(wanted, note))[`${flavour}-server`];
  return { bindir: path.dirname(found.argv[0]), flavour, version: found.version, source: found.source };
}

/**
 * One after the other: each reads lists of its own, and they share the archive.
 * @param {(text: string) => void} note
 * @returns {Promise<Record<'redis7' | 'redis8' | 'valkey', { bindir: string, flavour: string, version: string, source: string }>>}
 */
export async function ensureRedis(note) {
  const found = {};
  for (const [name, server] of Object.entries(servers)) found[name] = await ensureServer(name, server, note);
  return found;
}
