// What commands share: options of every command, the configuration, the connection to Temporal, this host's own service; made when first needed.

import os from 'node:os';
import { type Logger, pino } from 'pino';
import { type Configuration, type LoadedConfiguration, loadConfiguration } from '../../config/index.ts';
import type { HoldfastClient, HostService } from '../domain/client.ts';
import type { StandaloneRestores } from '../domain/standalone.ts';
import type { Io } from './io.ts';
import { plainLog } from './plain-log.ts';
import type { Outcome } from './result.ts';

export interface GlobalOptions {
  readonly config?: string;
  readonly json: boolean;
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly detach: boolean;
  /** Without Temporal, by this host itself. */
  readonly standalone: boolean;
}

export interface Context {
  readonly io: Io;
  readonly options: GlobalOptions;
  readonly logger: Logger;
  /** Who asks, as claimed: `user@host`. */
  readonly by: string;
  loaded(): Promise<LoadedConfiguration>;
  configuration(): Promise<Configuration>;
  /** Nothing when no command asked for it, or it could not be read. */
  configurationIfLoaded(): Promise<Configuration | undefined>;
  /** Throws `TEMPORAL_UNREACHABLE`. */
  client(): Promise<HoldfastClient>;
  /** Vault and databases of this host, read without Temporal. Throws when this host lacks the keys. */
  host(): Promise<HostService>;
  /** Restores of this host, ended by their journals. */
  restores(): Promise<StandaloneRestores>;
  /** Prints one of several results of a command that goes on (`monitor`). */
  emit(outcome: Outcome): Promise<void>;
  /** A line for the person, beside the result. */
  note(text: string): void;
  close(): Promise<void>;
}

export interface ContextParts {
  readonly io: Io;
  readonly options: GlobalOptions;
  emit(outcome: Outcome): Promise<void>;
}

export function makeContext({ io, options, emit }: ContextParts): Context {
  const level = process.env.HOLDFAST_LOG_LEVEL;
  const logger = pino({ level: level ?? 'warn', base: null }, level === undefined ? plainLog(io) : io.stderr);
  let wanted = false;
  const loaded = once(() => {
    wanted = true;
    return loadConfiguration(options.config);
  });
  const configuration = async () => (await loaded()).configuration;
  const by = `${os.userInfo().username}@${os.hostname()}`;
  const note = (text: string) => void io.stderr.write(`${text}\n`);
  const opened: { close(): Promise<void> }[] = [];
  const keep = <Value extends { close(): Promise<void> }>(value: Value): Value => {
    opened.push(value);
    return value;
  };
  return {
    io,
    options,
    logger,
    by,
    loaded,
    configuration,
    configurationIfLoaded: async () => (wanted ? await configuration().catch(() => undefined) : undefined),
    client: once(async () => {
      const { connectClient } = await import('../temporal/client.ts');
      return keep(await connectClient(await configuration()));
    }),
    host: once(async () => {
      const { openHostService } = await import('../host/service.ts');
      return keep(await openHostService(await configuration(), { logger }));
    }),
    restores: once(async () => {
      const { openStandaloneRestores } = await import('../host/standalone.ts');
      const onStep = (words: string) => note(`  ${words}`);
      return keep(openStandaloneRestores(await configuration(), { logger, by, onStep }));
    }),
    emit,
    note,
    async close() {
      await Promise.allSettled(opened.map((value) => value.close()));
    },
  };
}

/** A failure is kept too: asking again would give the same answer and cost the same time-out. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
