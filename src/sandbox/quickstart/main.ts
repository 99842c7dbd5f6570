// The quickstart: a bank loses its database to one bad statement and gets it back to the moment before, on real servers, with proof.

import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { exitCodes, toHoldfastError } from '../../errors/index.ts';
import { claimDirectory } from './claim.ts';
import { chapter, Shell, say } from './shell.ts';
import { tellStory } from './story.ts';

const usage = `usage: npm run quickstart [-- [--once] [--dir DIR] [--postgres 15|17|18]]

  --once       take everything down at the end; exit status 0 only if the recovery was proved
  --dir DIR    where it lives; must be empty or a quickstart's; default: a directory of its own in the temporary directory
  --postgres   major version of the database server; default: the newest that is set up`;

const { values } = readOptions();

function readOptions() {
  try {
    return parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        dir: { type: 'string', default: path.join(os.tmpdir(), 'holdfast-quickstart') },
        postgres: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message} (USAGE)\n${usage}\n`);
    return process.exit(exitCodes.usage);
  }
}

const interrupted = new AbortController();
// One Ctrl-C comes more than once: from the terminal, from npm, and as SIGHUP when the terminal goes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) return;
    interrupted.abort();
    say(`\n${signal}: stopping; everything that was started is taken down`);
  });
}
// It ends what it has started also when nobody reads what it says any more: `| tee` dies of the same Ctrl-C.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

async function main(): Promise<number> {
  const home = path.resolve(values.dir);
  const dir = path.join(home, 'sandbox');
  const claim = await claimDirectory(home, dir);
  try {
    return await play(dir);
  } finally {
    // Also when something threw: the one that holds it would keep this process alive.
    await claim.leave();
  }
}

/** Exit status. */
async function play(dir: string): Promise<number> {
  const startedMs = Date.now();
  const shell = new Shell(path.join(dir, 'holdfast.yaml'), interrupted.signal);
  // The last act must not be cancelled by the signal that asks for it.
  const undertaker = new Shell(path.join(dir, 'holdfast.yaml'), new AbortController().signal);
  const hasSandbox = () => existsSync(path.join(dir, 'sandbox.json'));
  if (hasSandbox()) {
    say(`an earlier quickstart has left its sandbox in ${dir}: it is taken down first`);
    await undertaker.type(['sandbox', 'down', '--dir', dir]);
  }
  await rm(dir, { recursive: true, force: true });
  let proved = false;
  let isWanted = true;
  try {
    chapter(startedMs, 'start the sandbox: PostgreSQL, two S3 regions, Temporal with its UI, a Holdfast worker');
    await shell.type([
      'sandbox',
      'up',
      '--files',
      '--dir',
      dir,
      ...(values.postgres ? ['--postgres', values.postgres] : []),
    ]);
    const sandbox = JSON.parse(await readFile(path.join(dir, 'sandbox.json'), 'utf8'));
    const story = await tellStory({ dir, sandbox, shell, startedMs, signal: interrupted.signal });
    proved = story.proved;
    if (proved && !values.once) await story.stayUp();
    await story.close();
  } catch (error) {
    if (!interrupted.signal.aborted) {
      const { code, message, hint } = toHoldfastError(error);
      const logs = hasSandbox() ? `logs: ${path.join(dir, 'logs')}\n` : '';
      process.stderr.write(`\nerror: ${message} (${code})\nhint: ${hint}\n${logs}`);
    }
  } finally {
    // Of one that failed data and logs stay, to be looked at; a signal that comes while it is taken down is about something else.
    // One that failed before it started anything has left nothing to take down, or to be looked at.
    isWanted = hasSandbox() && !proved && !interrupted.signal.aborted;
    if (hasSandbox()) {
      chapter(startedMs, 'take everything down');
      await undertaker.type(['sandbox', 'down', '--dir', dir]);
    }
  }
  if (!isWanted) await rm(dir, { recursive: true, force: true });
  return proved ? 0 : 1;
}

if (values.help) {
  say(usage);
} else {
  process.exitCode = await main().catch((error: unknown) => {
    const { code, message, hint, exit } = toHoldfastError(error);
    process.stderr.write(`error: ${message} (${code})\nhint: ${hint}\n`);
    return exit;
  });
}
