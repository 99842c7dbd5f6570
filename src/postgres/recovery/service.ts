// Stops and starts the production server the way the configuration says, and believes only what the directory itself shows.

import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceSettings } from '../../../config/types.ts';
import { fail } from '../../errors/index.ts';
import { run, tryRun } from '../../process/index.ts';
import { give, ownerFor } from './durable-files.ts';
import type { JournalHead } from './journal.ts';
import { holdfastDirectory } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { logTail, stopServer, until } from './recovery-server.ts';
import { maskUnit, startUnit, unmaskUnit } from './unit.ts';

const stopLimitMs = 15 * 60_000;
/** After its manager said that it has stopped. */
const endLimitMs = 60_000;
const startLimitMs = 30 * 60_000;

type Managed = Pick<JournalHead, 'dataDirectory' | 'execution'>;

/**
 * Stops the server, cleanly, and keeps a unit from being started by anything until `startService` or `releaseService`. Gives what could not
 * be had, in words. Throws when a server still runs on the directory.
 */
export async function stopService({ dataDirectory, execution }: Managed): Promise<readonly string[]> {
  const { service, binDirectory, runAs } = execution;
  const user = runAs === undefined ? {} : { runAs };
  if (service === undefined) fail('INTERNAL', 'a restore in place has no service');
  if ('pgCtl' in service) await stopServer({ binDirectory, dataDirectory, deadlineMs: stopLimitMs, ...user });
  else await stopByManager(dataDirectory, service);
  if (!('systemd' in service)) return [];
  const warnings = await maskUnit(service.systemd);
  // In the moment between the two.
  if ((await findPostmaster(dataDirectory)) !== undefined) await stopByManager(dataDirectory, service);
  return warnings;
}

/** Lets the unit be started again, without doing it. Idempotent. */
export async function releaseService({ execution: { service } }: Managed): Promise<void> {
  if (service !== undefined && 'systemd' in service) await unmaskUnit(service.systemd);
}

/** A stop command may fail because nothing runs: whether something does, the directory tells. A unit that cannot be stopped is an error. */
async function stopByManager(
  dataDirectory: string,
  service: Exclude<ServiceSettings, { readonly pgCtl: unknown }>,
): Promise<void> {
  const answer =
    'systemd' in service
      ? await run('systemctl', ['stop', service.systemd], { deadlineMs: stopLimitMs })
      : await tryRun('sh', ['-c', service.commands.stop], { deadlineMs: stopLimitMs });
  const giveUpAt = performance.now() + endLimitMs;
  for (; (await findPostmaster(dataDirectory)) !== undefined; await sleep(100)) {
    if (answer.exitCode === 0 && performance.now() < giveUpAt) continue;
    fail('PROCESS_FAILED', `the server on '${dataDirectory}' still runs after '${answer.command}'`, {
      hint: `its last words: ${answer.stderrTail.trim() || 'none'}`,
    });
  }
}

/** Starts the server and waits until the directory's own pid file says that it is ready. */
export async function startService({ dataDirectory, execution }: Managed): Promise<void> {
  const { service, binDirectory, runAs } = execution;
  if (service === undefined) fail('INTERNAL', 'a restore in place has no service');
  const ready = async () => ((await findPostmaster(dataDirectory))?.status === 'ready' ? true : undefined);
  await releaseService({ dataDirectory, execution });
  if (await ready()) return;
  if ('systemd' in service) await startUnit(service.systemd);
  else if ('commands' in service) await run('sh', ['-c', service.commands.start], { deadlineMs: startLimitMs });
  else await startByPgCtl(dataDirectory, binDirectory, runAs, service.pgCtl);
  await until(ready, { limitMs: startLimitMs, what: `the server on '${dataDirectory}' to be ready` });
}

async function startByPgCtl(
  dataDirectory: string,
  binDirectory: string,
  runAs: string | undefined,
  settings: { readonly options?: string; readonly logFile?: string },
): Promise<void> {
  // One that is still starting, from an attempt that was cut short, only has to be waited for.
  if ((await findPostmaster(dataDirectory)) !== undefined) return;
  const logFile = settings.logFile ?? (await ownLogFile(dataDirectory, runAs));
  const options = settings.options === undefined ? [] : ['-o', settings.options];
  const args = ['-D', dataDirectory, '-l', logFile, ...options, '-w', '-t', String(startLimitMs / 1000), 'start'];
  const user = runAs === undefined ? {} : { runAs };
  const answer = await tryRun(path.join(binDirectory, 'pg_ctl'), args, {
    ...user,
    cwd: '/',
    deadlineMs: startLimitMs + 60_000,
  });
  if (answer.exitCode === 0) return;
  const tail = await logTail(logFile);
  fail('RECOVERY_FAILED', `the server on '${dataDirectory}' does not start: ${answer.stderrTail.trim()}`, {
    hint: `see '${logFile}'`,
    details: { log: tail.split('\n').slice(-15).join('\n') },
  });
}

async function ownLogFile(dataDirectory: string, runAs: string | undefined): Promise<string> {
  const file = path.join(holdfastDirectory(dataDirectory), 'server.log');
  await (await open(file, 'a', 0o640)).close();
  await give(file, await ownerFor(runAs));
  return file;
}
