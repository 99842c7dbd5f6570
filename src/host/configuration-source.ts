// From what the configuration file says of a host's configuration to what the engine is asked; secrets are resolved by whoever uses them.

import { realpath } from 'node:fs/promises';
import {
  type Configuration,
  type HostConfigurationSettings,
  resolveSecret,
  secretFiles,
  stateDirectoryOf,
} from '../../config/index.ts';
import {
  type CommandSpec,
  type ConfigurationSource,
  type Place,
  placeOf,
  type Remote,
} from '../configuration/index.ts';
import { ownSecrets } from './own-secrets.ts';

export function configurationPlace(configuration: Configuration, { name, host }: HostConfigurationSettings): Place {
  return placeOf(stateDirectoryOf(configuration, host), name);
}

/** Throws `SECRET_UNRESOLVED`. Our own key files never show in Git, whatever they are called. */
export async function configurationSource(
  configuration: Configuration,
  { paths, rules, commands, redact, withhold, largestTextBytes }: HostConfigurationSettings,
): Promise<ConfigurationSource> {
  const specs: CommandSpec[] = [];
  for (const { name, argv, timeoutSeconds, largestBytes, env, runAs } of commands) {
    const resolved: Record<string, string> = {};
    for (const [variable, reference] of Object.entries(env)) resolved[variable] = await resolveSecret(reference);
    const spec = { name, argv, timeoutMs: timeoutSeconds * 1000, largestBytes, env: resolved };
    specs.push({ ...spec, ...(runAs !== undefined && { runAs }) });
  }
  const own = (await Promise.all(secretFiles(configuration).map(namesOf))).flat().map(literal);
  const request = { paths, rules, commands: specs, redact, withhold: [...withhold, ...own], largestTextBytes };
  return { ...request, ownSecrets: await ownSecrets(configuration) };
}

export function configurationRemote({ remote }: HostConfigurationSettings): Remote | undefined {
  if (remote === undefined) return undefined;
  const { timeoutSeconds, password, ...rest } = remote;
  return {
    ...rest,
    timeoutMs: timeoutSeconds * 1000,
    ...(password !== undefined && { password: () => resolveSecret(password) }),
  };
}

/** As it is written, and where it really is: links lead to it, and a tree has it under its own name. */
async function namesOf(file: string): Promise<readonly string[]> {
  const real = await realpath(file).catch(() => file);
  return real === file ? [file] : [file, real];
}

/** In the syntax of gitignore, just this path. */
function literal(path: string): string {
  return path.replaceAll(/[\\*?[\]!# ]/g, '\\$&');
}
