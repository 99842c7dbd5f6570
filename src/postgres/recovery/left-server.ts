// Whether what runs on a directory that was recovered beside is still what the restore left there: it may be somebody's production by now.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { shellWord } from '../../domain/shell-word.ts';
import { fail } from '../../errors/index.ts';
import type { RestorePlan } from '../types.ts';
import { exists, ifAbsent } from './durable-files.ts';
import type { Postmaster } from './postmaster.ts';
import { quarantineSettings } from './quarantine.ts';
import { serverArguments } from './recovery-server.ts';
import { pathsOf } from './work-directory.ts';

/** Started as we start one, on no network: `ALTER SYSTEM` may have put it there since. */
export async function runsAsLeft(plan: RestorePlan, { identity, listenAddress = '' }: Postmaster): Promise<boolean> {
  const { dataDirectory } = plan.place;
  const ours = serverArguments({ dataDirectory, configFile: quarantineSettings(pathsOf(plan)) });
  const [, ...given] = (await commandLine(identity.pid)).split('\0').slice(0, -1);
  return listenAddress === '' && given.join('\0') === ours.join('\0');
}

const commandLine = (pid: number) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(ifAbsent(''));

/** `server`: the one that runs on the finished directory, if one does. Throws `DATABASE_IDENTITY`. */
export async function requireLeft(plan: RestorePlan, server: Postmaster | undefined): Promise<void> {
  const { dataDirectory } = plan.place;
  if (await wasPromoted(plan)) {
    fail(
      'DATABASE_IDENTITY',
      `the standby in '${dataDirectory}' was promoted: it is not the one that ${plan.run} left`,
      {
        hint: `whoever made production of it ends it: ${handStop(plan)}${slotByHand(plan)}`,
      },
    );
  }
  if (server === undefined || (await runsAsLeft(plan, server))) return;
  const { identity, listenAddress, port } = server;
  const where = listenAddress ? `, and listens on ${listenAddress}, port ${port}` : '';
  fail(
    'DATABASE_IDENTITY',
    `the server on '${dataDirectory}' (process ${identity.pid}) runs with other settings than those that ${plan.run} left it with${where}`,
    { hint: `whoever started it ends it: ${handStop(plan)}${slotByHand(plan)}` },
  );
}

/** The server removes the file as it leaves recovery. */
async function wasPromoted({ place }: RestorePlan): Promise<boolean> {
  if (place.mode !== 'beside' || place.standby !== true || !(await exists(place.dataDirectory))) return false;
  return !(await exists(path.join(place.dataDirectory, 'standby.signal')));
}

function handStop({ place, execution }: RestorePlan): string {
  const program = path.join(execution.binDirectory, 'pg_ctl');
  const user = execution.runAs === undefined ? '' : `sudo -u ${shellWord(execution.runAs)} `;
  return `\`${user}${shellWord(program)} -D ${shellWord(place.dataDirectory)} stop\``;
}

function slotByHand({ execution: { standbySlot } }: RestorePlan): string {
  if (standbySlot === undefined) return '';
  return `; its slot is dropped by hand, on the server that it followed: SELECT pg_drop_replication_slot('${standbySlot}');`;
}
