// The check of a configuration: its paths are there and can be looked at, Git and the programs of its commands are there, the remote answers.

import { access, constants } from 'node:fs/promises';
import type { Configuration, HostConfigurationSettings } from '../../config/index.ts';
import { askRemote, existingPaths, isPattern } from '../configuration/index.ts';
import type { CheckResult } from '../domain/setup-report.ts';
import { toHoldfastError } from '../errors/index.ts';
import { findProgram } from '../process/index.ts';
import { configurationRemote, configurationSource } from './configuration-source.ts';

export async function checkConfiguration(
  configuration: Configuration,
  settings: HostConfigurationSettings,
  signal: AbortSignal,
): Promise<CheckResult[]> {
  const { paths, commands } = settings;
  const looks = await Promise.all(paths.map((each) => checkPath(each)));
  const programs = [...new Set(['git', ...commands.map(({ argv }) => argv[0])])];
  const found = await Promise.all(programs.map((each) => checkProgram(each)));
  return [...looks, ...found, await checkSecrets(configuration, settings), ...(await checkRemote(settings, signal))];
}

async function checkPath(each: string): Promise<CheckResult> {
  const name = `path ${each}`;
  return await attempt(name, 'is it mounted, and may the worker read it? `paths` names it', async () => {
    const found = await existingPaths(each);
    if (found.length === 0 && !isPattern(each)) throw new Error('is not there');
    for (const path of found) await access(path, constants.R_OK);
    return isPattern(each) ? `matches ${found.length}` : 'can be read';
  });
}

async function checkProgram(program: string): Promise<CheckResult> {
  return await attempt(`program ${program}`, 'install it for the host, or name its whole path', () =>
    findProgram(program),
  );
}

async function checkSecrets(configuration: Configuration, settings: HostConfigurationSettings): Promise<CheckResult> {
  return await attempt('secrets', 'check the variables and files that `env` refers to', async () => {
    const { commands } = await configurationSource(configuration, settings);
    const count = commands.reduce((sum, { env }) => sum + Object.keys(env).length, 0);
    return count === 0 ? 'no command needs one' : `${count} can be read`;
  });
}

async function checkRemote(settings: HostConfigurationSettings, signal: AbortSignal): Promise<CheckResult[]> {
  const remote = configurationRemote(settings);
  if (remote === undefined) return [];
  const hint = 'is the address right, and may this host push there? `git.remote` names it';
  return [await attempt('remote', hint, () => askRemote(remote, settings.redact, signal))];
}

async function attempt(name: string, hint: string, look: () => Promise<string>): Promise<CheckResult> {
  try {
    return { name, ok: true, message: await look() };
  } catch (error) {
    const { message } = toHoldfastError(error);
    return { name, ok: false, message, hint };
  }
}
