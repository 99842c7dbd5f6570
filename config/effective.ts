// From what a file says to what the program uses: defaults that depend on other keys, units as numbers, paths absolute, the digest.

import { createHash } from 'node:crypto';
import path from 'node:path';
import { parseBandwidth } from '../src/domain/bandwidth.ts';
import { componentId } from '../src/domain/component.ts';
import { parseDuration } from '../src/domain/duration.ts';
import type { RetentionRules } from '../src/domain/retention.ts';
import { parseSchedule, schedulePeriodSeconds } from '../src/domain/schedule.ts';
import { parseSize } from '../src/domain/size.ts';
import { absoluteReference } from './references.ts';
import type { ConfigurationFile } from './schema.ts';
import type {
  CommandSettings,
  Configuration,
  CopySettings,
  DatabaseSettings,
  FilesSettings,
  GitRemoteSettings,
  HostConfigurationSettings,
  HostSettings,
  KeySettings,
  KmsSettings,
  LogicalSettings,
  MirrorSettings,
  ReadingSettings,
  RedisService,
  RedisSettings,
  RemoteSettings,
  RetentionSettings,
  S3Settings,
  SeparateCredentialSettings,
  ServiceSettings,
  TemporalSettings,
  VaultSettings,
  VerifySettings,
} from './types.ts';

type FileCopy = ConfigurationFile['vault']['copies'][string];
type FileDatabase = ConfigurationFile['database'][string];
type FileRedis = ConfigurationFile['redis'][string];
type FileFiles = ConfigurationFile['files'][string];
type FileHostConfiguration = ConfigurationFile['configuration'][string];
type FileService = NonNullable<FileDatabase['service']>;

/** `file`: absolute path of the configuration file. */
export function makeEffective(content: ConfigurationFile, file: string): Configuration {
  const directory = path.dirname(file);
  const { name, timezone, sites, vault, approval } = content;
  const settings = {
    name,
    timezone,
    temporal: defined<TemporalSettings>(content.temporal),
    sites: mapValues(sites, (site) => defined<Configuration['sites'][string]>(site)),
    hosts: mapValues(content.hosts, (host) => effectiveHost(host, directory)),
    vault: defined<VaultSettings>({
      keys: vault.keys.map((key) => effectiveKey(key, directory)),
      copies: mapValues(vault.copies, (copy) => effectiveCopy(copy, directory, sites[copy.site]?.account)),
      commit: vault.commit,
      compression: vault.compression,
      bandwidthBytesPerSecond: vault.bandwidth && parseBandwidth(vault.bandwidth),
    }),
    database: mapEntries(content.database, (key, database) => effectiveDatabase(key, database, directory)),
    redis: mapEntries(content.redis, (key, redis) => effectiveRedis(key, redis, directory)),
    files: mapEntries(content.files, (key, files) => effectiveFiles(key, files, directory)),
    configuration: mapEntries(content.configuration, (key, each) => effectiveHostConfiguration(key, each, directory)),
    retention: effectiveRetention(content.retention),
    ...(content.verify && { verify: effectiveVerify(content.verify) }),
    approval: { restoreInPlace: approval.restoreInPlace, withinSeconds: parseDuration(approval.within) },
  };
  return { ...settings, path: file, digest: digestOf(settings) };
}

function effectiveHost(host: ConfigurationFile['hosts'][string], directory: string): HostSettings {
  const { stateDirectory, ...rest } = host;
  return defined<HostSettings>({ ...rest, stateDirectory: absolute(stateDirectory, directory) });
}

function effectiveKey(key: ConfigurationFile['vault']['keys'][number], directory: string): KeySettings {
  if (key.passphrase !== undefined) return { name: key.name, passphrase: absoluteReference(key.passphrase, directory) };
  if (key.kms !== undefined) {
    const { accessKeyId, secretAccessKey } = key.kms;
    const credentials = {
      accessKeyId: accessKeyId && absoluteReference(accessKeyId, directory),
      secretAccessKey: secretAccessKey && absoluteReference(secretAccessKey, directory),
    };
    return { name: key.name, kms: defined<KmsSettings>({ ...key.kms, ...credentials }) };
  }
  return { name: key.name, file: path.resolve(directory, key.file ?? '') };
}

function effectiveCopy(copy: FileCopy, directory: string, siteAccount: string | undefined): CopySettings {
  return defined<CopySettings>({
    site: copy.site,
    medium: copy.medium ?? (copy.s3 === undefined ? 'disk' : 'object'),
    offsite: copy.offsite,
    account: copy.account ?? siteAccount ?? accountOf(copy.s3),
    file: absolute(copy.file, directory),
    s3: copy.s3 && effectiveS3(copy.s3, directory),
    bandwidthBytesPerSecond: copy.bandwidth && parseBandwidth(copy.bandwidth),
  });
}

/** Nobody told us which account: all buckets of a provider are taken to go together. */
function accountOf(s3: FileCopy['s3']): string | undefined {
  if (s3 === undefined) return undefined;
  return s3.endpoint === undefined ? 'aws' : new URL(s3.endpoint).host;
}

function effectiveS3(s3: NonNullable<FileCopy['s3']>, directory: string): S3Settings {
  const { lockFor, ...rest } = s3;
  return defined<S3Settings>({
    ...rest,
    lockForSeconds: lockFor && parseDuration(lockFor),
    prefix: s3.prefix?.replace(/^\/+|\/+$/g, '') || undefined,
    pathStyle: s3.pathStyle ?? s3.endpoint !== undefined,
    accessKeyId: s3.accessKeyId && absoluteReference(s3.accessKeyId, directory),
    secretAccessKey: s3.secretAccessKey && absoluteReference(s3.secretAccessKey, directory),
    caFile: absolute(s3.caFile, directory),
    credentials: s3.credentials && effectiveCredentials(s3.credentials, directory),
  });
}

function effectiveCredentials(
  credentials: NonNullable<NonNullable<FileCopy['s3']>['credentials']>,
  directory: string,
): SeparateCredentialSettings {
  const pair = (from: typeof credentials.write) =>
    from && {
      accessKeyId: absoluteReference(from.accessKeyId, directory),
      secretAccessKey: absoluteReference(from.secretAccessKey, directory),
    };
  const { write, restore, prune } = credentials;
  return defined({ write: pair(write), restore: pair(restore), prune: pair(prune) });
}

function effectiveDatabase(name: string, database: FileDatabase, directory: string): DatabaseSettings {
  const { host, objective, checks, facts, keep } = database;
  const { way, rate, ...schedules } = database.backup;
  return defined<DatabaseSettings>({
    kind: 'database',
    id: componentId('database', name),
    name,
    host,
    url: absoluteReference(database.url, directory),
    standby: database.standby && {
      url: absoluteReference(database.standby.url, directory),
      behindBytes: parseSize(database.standby.behind),
    },
    dataDirectory: absolute(database.dataDirectory, directory),
    service: database.service && effectiveService(database.service, directory),
    backup: defined<DatabaseSettings['backup']>(schedules),
    reading: defined<ReadingSettings>({ way, bytesPerSecond: rate && parseBandwidth(rate) }),
    logical: effectiveLogical(database.logical, directory),
    log: { withinSeconds: parseDuration(database.log.within), synchronous: database.log.synchronous },
    keep: keep && { classes: effectiveClasses(keep), logSeconds: parseDuration(keep.log) },
    objective: effectiveObjective(objective),
    facts: { maximum: facts.maximum, withinSeconds: parseDuration(facts.within) },
    checks: checks.map((check) => defined<DatabaseSettings['checks'][number]>(check)),
  });
}

function effectiveObjective({ rpo, rto }: FileDatabase['objective']): DatabaseSettings['objective'] {
  return defined({ rpoSeconds: rpo && parseDuration(rpo), rtoSeconds: rto && parseDuration(rto) });
}

function effectiveRedis(name: string, redis: FileRedis, directory: string): RedisSettings {
  const { host, files, service, keep, objective } = redis;
  const { way, ...schedules } = redis.backup;
  return defined<RedisSettings>({
    kind: 'redis',
    id: componentId('redis', name),
    name,
    host,
    url: absoluteReference(redis.url, directory),
    caFile: absolute(redis.caFile, directory),
    programs: absolute(redis.programs, directory),
    dataDirectory: absolute(redis.dataDirectory, directory),
    files,
    service: service && defined<RedisService>(service),
    way,
    backup: defined(schedules),
    keep: keep && {
      classes: defined({ rdb: effectiveRules(keep.rdb), aof: keep.aof && effectiveRules(keep.aof) }),
    },
    objective: effectiveObjective(objective),
  });
}

function effectiveFiles(name: string, files: FileFiles, directory: string): FilesSettings {
  const { host, roots, exclude, oneFileSystem, cacheTags, largest, backup, hooks, keep, objective, pull, mirror } =
    files;
  const { rate, ...schedules } = backup;
  return defined<FilesSettings>({
    kind: 'files',
    id: componentId('files', name),
    name,
    host,
    roots,
    rules: defined({ exclude, oneFileSystem, cacheTags, largestBytes: largest && parseSize(largest) }),
    bytesPerSecond: rate && parseBandwidth(rate),
    hooks: hooks && defined({ before: hooks.before, after: hooks.after, withinSeconds: parseDuration(hooks.within) }),
    backup: defined(schedules),
    pull: pull && effectiveRemote(pull, directory),
    mirror: mirror && effectiveMirror(mirror, directory),
    keep: keep && { classes: { files: effectiveRules(keep) } },
    objective: effectiveObjective(objective),
  });
}

type FileRemote = NonNullable<FileFiles['pull']>;

function effectiveRemote({ timeout, keyFile, knownHosts, ...rest }: FileRemote, directory: string): RemoteSettings {
  return defined<RemoteSettings>({
    ...rest,
    keyFile: path.resolve(directory, keyFile),
    knownHosts: path.resolve(directory, knownHosts),
    silenceSeconds: parseDuration(timeout),
  });
}

function effectiveMirror(mirror: NonNullable<FileFiles['mirror']>, directory: string): MirrorSettings {
  const { ssh, port, keyFile = '', knownHosts = '', rsync, timeout, rate, behind, ...rest } = mirror;
  const there = ssh === undefined ? undefined : { ssh, port, keyFile, knownHosts, rsync, timeout };
  return defined<MirrorSettings>({
    ...rest,
    remote: there && effectiveRemote(there, directory),
    bytesPerSecond: rate && parseBandwidth(rate),
    behindSeconds: behind === undefined ? mirrorIsLateAfter(rest.schedule) : parseDuration(behind),
  });
}

/** The time of the last run that was whole is that of its beginning: right before the next one ends, it is more than one period ago. */
function mirrorIsLateAfter(schedule: string | undefined): number {
  return schedule === undefined ? 86_400 : 2 * schedulePeriodSeconds(parseSchedule(schedule));
}

function effectiveHostConfiguration(
  name: string,
  settings: FileHostConfiguration,
  directory: string,
): HostConfigurationSettings {
  const { host, paths, exclude, commands, redact, withhold, git, backup, keep, objective } = settings;
  return defined<HostConfigurationSettings>({
    kind: 'configuration',
    id: componentId('configuration', name),
    name,
    host,
    paths: paths.map((each) => path.resolve(each)),
    rules: { exclude, oneFileSystem: true, cacheTags: true },
    commands: Object.entries(commands).map(([key, command]) => effectiveCommand(key, command, directory)),
    redact: redact.map((rule) => defined<HostConfigurationSettings['redact'][number]>(rule)),
    withhold,
    largestTextBytes: parseSize(git.largest),
    remote: git.remote && effectiveGitRemote(git.remote, directory),
    backup: defined(backup),
    keep: keep && { classes: { configuration: effectiveRules(keep) } },
    objective: effectiveObjective(objective),
  });
}

function effectiveCommand(
  name: string,
  { run, shell, timeout, largest, env, runAs }: FileHostConfiguration['commands'][string],
  directory: string,
): CommandSettings {
  return defined<CommandSettings>({
    name,
    argv: run ?? ['/bin/sh', '-c', shell],
    timeoutSeconds: parseDuration(timeout),
    largestBytes: parseSize(largest),
    env: mapValues(env, (reference) => absoluteReference(reference, directory)),
    runAs,
  });
}

function effectiveGitRemote(
  { password, sshKey, knownHosts, timeout, ...rest }: NonNullable<FileHostConfiguration['git']['remote']>,
  directory: string,
): GitRemoteSettings {
  return defined<GitRemoteSettings>({
    ...rest,
    password: password && absoluteReference(password, directory),
    sshKey: absolute(sshKey, directory),
    knownHosts: absolute(knownHosts, directory),
    timeoutSeconds: parseDuration(timeout),
  });
}

function effectiveLogical({ url, loadUrl, ...rest }: FileDatabase['logical'], directory: string): LogicalSettings {
  return defined<LogicalSettings>({
    ...rest,
    url: url && absoluteReference(url, directory),
    loadUrl: loadUrl && absoluteReference(loadUrl, directory),
  });
}

/** Every key of `keep` that is not the log's is a class; incremental backups are kept as full ones are where nothing else is said. */
function effectiveClasses({ log: _, ...classes }: NonNullable<FileDatabase['keep']>): Record<string, RetentionRules> {
  const all = { ...classes, incremental: classes.incremental ?? classes.full };
  const given = Object.entries(all).flatMap(([name, rules]) =>
    rules === undefined ? [] : [[name, effectiveRules(rules)] as const],
  );
  return Object.fromEntries(given);
}

function effectiveRules(rules: NonNullable<FileDatabase['keep']>['full']): RetentionRules {
  if (typeof rules === 'string') return { ageSeconds: parseDuration(rules) };
  const { age, ...counts } = rules;
  return defined<RetentionRules>({ ageSeconds: age === undefined ? undefined : parseDuration(age), ...counts });
}

function effectiveRetention({ schedule, grace, maximum }: ConfigurationFile['retention']): RetentionSettings {
  const share = Number.parseInt(maximum.share, 10) / 100;
  return { schedule, graceSeconds: parseDuration(grace), maximum: { share, snapshots: maximum.snapshots } };
}

function effectiveVerify({ schedule, level, within, bytes, time }: NonNullable<ConfigurationFile['verify']>) {
  const withinDays = Math.max(1, Math.round(parseDuration(within) / 86_400));
  const budgetBytes = bytes === undefined ? undefined : parseSize(bytes);
  return defined<VerifySettings>({ schedule, level, withinDays, budgetBytes, timeSeconds: parseDuration(time) });
}

function effectiveService(service: FileService, directory: string): ServiceSettings {
  if (service.systemd !== undefined) return { systemd: service.systemd };
  if (service.commands !== undefined) return { commands: service.commands };
  const { options, logFile } = service.pgCtl ?? {};
  return { pgCtl: defined<{ options?: string; logFile?: string }>({ options, logFile: absolute(logFile, directory) }) };
}

function absolute(file: string | undefined, directory: string): string | undefined {
  return file === undefined ? undefined : path.resolve(directory, file);
}

/** Without the keys that have no value, as the types with exact optional properties want it. */
function defined<Target>(value: object): Target {
  return Object.fromEntries(Object.entries(value).filter(([, content]) => content !== undefined)) as Target;
}

function mapValues<In, Out>(record: Readonly<Record<string, In>>, make: (value: In) => Out): Record<string, Out> {
  return mapEntries(record, (_, value) => make(value));
}

function mapEntries<In, Out>(
  record: Readonly<Record<string, In>>,
  make: (key: string, value: In) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, make(key, value)]));
}

function digestOf(settings: object): string {
  return createHash('sha256').update(canonicalJson(settings)).digest('hex').slice(0, 16);
}

/** Keys in the order of their code points at every level, so that the order in the file does not matter. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, content: unknown) =>
    typeof content === 'object' && content !== null && !Array.isArray(content)
      ? Object.fromEntries(Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1)))
      : content,
  );
}
