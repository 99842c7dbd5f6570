// The user and the variables a child runs with: chosen, never just inherited, so that no secret of ours leaks into it.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { fail } from '../errors/index.ts';

export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Passed on when we have them. Not here on purpose: everything that starts with PG, AWS or HOLDFAST. */
const inherited = ['PATH', 'TZ', 'TMPDIR', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

/** Looks a user up in every source the system knows (getent). Throws `TARGET_UNFIT` when there is none of that name. */
export async function findUser(name: string): Promise<SystemUser> {
  const answer = await promisify(execFile)('getent', ['passwd', '--', name]).catch(() => undefined);
  const [foundName, , uid, gid, , home] = answer?.stdout.trim().split(':') ?? [];
  if (foundName === undefined || uid === undefined || gid === undefined) {
    fail('TARGET_UNFIT', `there is no user '${name}' on this host`, { hint: 'check `runAs` in the configuration' });
  }
  return { name: foundName, uid: Number(uid), gid: Number(gid), home: home || '/' };
}

/** Programs answer in English, in UTF-8, whatever the host's language: their messages are read by us and by the person on call. */
export function childEnvironment(
  user: SystemUser | undefined,
  extra: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const { username, homedir } = user ? { username: user.name, homedir: user.home } : os.userInfo();
  const environment: Record<string, string> = { HOME: homedir, USER: username, LOGNAME: username, LC_ALL: 'C.UTF-8' };
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  for (const [name, value] of Object.entries(extra)) {
    if (value === undefined) delete environment[name];
    else environment[name] = value;
  }
  return environment;
}

/** Absolute path of a program. Throws `PROGRAM_MISSING`. */
export async function findProgram(command: string, searchPath = process.env.PATH ?? ''): Promise<string> {
  const isPath = command.includes('/');
  const candidates = isPath
    ? [path.resolve(command)]
    : searchPath.split(':').map((folder) => path.join(folder, command));
  for (const candidate of candidates) {
    const isThere = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return candidate;
  }
  fail('PROGRAM_MISSING', `the program '${command}' is not ${isPath ? 'there or may not be run' : 'on PATH'}`);
}
