// Finds or fetches the programs that Holdfast is measured against, and records where they are.
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory, lockCache } from '../scripts/set-up/cache.mjs';
import { installPackages } from '../scripts/set-up/debian-packages.mjs';
import { elapsed, say, step } from '../scripts/set-up/report.mjs';
import { run, which } from '../scripts/set-up/run.mjs';
import { explainAndExit } from '../scripts/setup.mjs';
import { ensureBorg } from './set-up/borg.mjs';
import { ensureLaterDebian } from './set-up/later-debian.mjs';
import { findPython } from './set-up/python.mjs';

const describe = ({ version, source }) => `${version} (${source})`;

/** The distribution's own; how each says its version. */
const asks = {
  tar: ['--version'],
  zstd: ['--version'],
  openssl: ['version'],
  strace: ['--version'],
  perf: ['--version'],
};
/** Of what has another name than its program. */
const packages = { perf: 'linux-perf' };

async function ensureTools() {
  const missing = [];
  for (const name of Object.keys(asks)) if (!(await which(name))) missing.push(name);
  if (missing.length > 0)
    await installPackages(
      missing.map((name) => packages[name] ?? name),
      `${missing.join(', ')} not found on PATH`,
    );
  const tools = {};
  for (const [name, ask] of Object.entries(asks)) {
    const program = await which(name);
    const version = /\d+\.\d+(\.\d+)?/.exec((await run(program, ask)).stdout)?.[0] ?? 'unknown';
    tools[name] = { argv: [program], env: {}, version, source: 'distribution' };
  }
  return tools;
}

/** The record of what was found, which the bench reads. */
function peersFile() {
  return path.join(cacheDirectory(), 'bench-peers.json');
}

async function writePeers(peers) {
  const draft = `${peersFile()}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(peers, null, 2)}\n`, { mode: 0o644 });
  await rename(draft, peersFile());
}

/** Idempotent: fetches only what is missing, and proves each program by starting it. */
async function setUp() {
  const startedAt = performance.now();
  const unlock = await lockCache();
  try {
    const tools = await step('tools', ensureTools, (found) =>
      Object.entries(found)
        .map(([name, tool]) => `${name} ${tool.version}`)
        .join(', '),
    );
    const python = await step('python', findPython, describe);
    const later = await step('restic', ensureLaterDebian, ({ restic, pgbackrest }) =>
      [`restic ${describe(restic)}`, `pgbackrest ${describe(pgbackrest)}`].join(', '),
    );
    const borg = await step('borg', (note) => ensureBorg(python, note), describe);
    await writePeers({ ...tools, python, ...later, borg });
    say('ready', `everything is there, see ${peersFile()}  (${elapsed(startedAt)})`);
    process.stdout.write(await readFile(peersFile(), 'utf8'));
  } finally {
    unlock();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setUp().catch(explainAndExit);
