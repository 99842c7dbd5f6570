// The effective configuration: what the loader hands to everything else, with every default filled in and secrets still as references.

import type { ComponentId } from '../src/domain/component.ts';
import type { IntegrityLevel } from '../src/domain/integrity.ts';
import type { RetentionRules } from '../src/domain/retention.ts';

/** `env:NAME`, `file:/path` (later `aws-secret:…`): resolved inside activities, never stored, never logged. */
export type SecretReference = string & { readonly __brand: 'SecretReference' };

export interface Configuration {
  readonly name: string;
  readonly timezone: string;
  /** Absolute path of the file it came from; relative paths in it are relative to that file's directory. */
  readonly path: string;
  /** SHA-256 of the canonical JSON of the effective configuration without `path`, first 16 hexadecimal digits. */
  readonly digest: string;
  readonly temporal: TemporalSettings;
  readonly sites: Readonly<Record<string, SiteSettings>>;
  readonly hosts: Readonly<Record<string, HostSettings>>;
  readonly vault: VaultSettings;
  /** By name; the id is `database/<name>`. */
  readonly database: Readonly<Record<string, DatabaseSettings>>;
  /** By name; the id is `redis/<name>`. */
  readonly redis: Readonly<Record<string, RedisSettings>>;
  /** By name; the id is `files/<name>`. */
  readonly files: Readonly<Record<string, FilesSettings>>;
  /** By name; the id is `configuration/<name>`. */
  readonly configuration: Readonly<Record<string, HostConfigurationSettings>>;
  readonly retention: RetentionSettings;
  /** Absent: only by command. */
  readonly verify?: VerifySettings;
  readonly approval: ApprovalSettings;
}

/** The usual profile file and variables of the `temporal` command (`@temporalio/envconfig`); `address` and `namespace` override for a local server. */
export interface TemporalSettings {
  readonly profile: string;
  readonly address?: string;
  readonly namespace?: string;
  /** Base address of the web UI for links, for example `http://127.0.0.1:8233`. */
  readonly ui?: string;
}

export interface SiteSettings {
  /** Account that everything there belongs to; absent: nobody's. */
  readonly account?: string;
}

export interface HostSettings {
  readonly site: string;
  /** User that servers started for recovery run as; without it the worker's own. */
  readonly runAs?: string;
  /** Spool for the log on its way to the copies; default `/var/lib/holdfast/<estate>` for root, else under the user's state directory. */
  readonly stateDirectory?: string;
  /** Of a backup; default the cores, at most 4. */
  readonly threads?: number;
}

export interface VaultSettings {
  readonly keys: readonly KeySettings[];
  readonly copies: Readonly<Record<string, CopySettings>>;
  readonly commit: { readonly copies: number; readonly offsite: number };
  readonly compression: 'zstd' | 'gzip' | 'none';
  /** Of all copies together; default: no limit. */
  readonly bandwidthBytesPerSecond?: number;
}

export type KeySettings =
  | { readonly name: string; readonly file: string }
  | { readonly name: string; readonly passphrase: SecretReference }
  | { readonly name: string; readonly kms: KmsSettings };

export interface KmsSettings {
  /** Id, ARN or alias. */
  readonly keyId: string;
  readonly region: string;
  readonly endpoint?: string;
  /** Without them the SDK's own chain (environment, profile, instance role). */
  readonly accessKeyId?: SecretReference;
  readonly secretAccessKey?: SecretReference;
}

export interface CopySettings {
  readonly site: string;
  readonly medium: string;
  readonly offsite: boolean;
  /** Account that it belongs to and is lost with; absent: nobody's. */
  readonly account?: string;
  readonly file?: string;
  readonly s3?: S3Settings;
  /** Default: no limit. */
  readonly bandwidthBytesPerSecond?: number;
}

export interface S3Settings {
  readonly bucket: string;
  readonly prefix?: string;
  readonly region: string;
  readonly endpoint?: string;
  readonly pathStyle: boolean;
  /** Without them the SDK's own chain (environment, profile, instance role). */
  readonly accessKeyId?: SecretReference;
  readonly secretAccessKey?: SecretReference;
  /** Instead of one pair for all. */
  readonly credentials?: SeparateCredentialSettings;
  /** Mode of Object Lock for what is kept. */
  readonly lock?: 'compliance' | 'governance';
  /** From when an object is stored; always together with `lock`. */
  readonly lockForSeconds?: number;
  readonly sse?: 'AES256' | 'aws:kms';
  readonly kmsKeyId?: string;
  /** Of packs; default `STANDARD`. */
  readonly storageClass: string;
  readonly caFile?: string;
  /** Lowest TLS version accepted from an https endpoint; default `1.3`. */
  readonly minimumTls: '1.2' | '1.3';
}

export interface CredentialPair {
  readonly accessKeyId: SecretReference;
  readonly secretAccessKey: SecretReference;
}

/** At least one of `write` and `restore`; nothing is written without `write` or deleted without `prune`. */
export interface SeparateCredentialSettings {
  readonly write?: CredentialPair;
  readonly restore?: CredentialPair;
  readonly prune?: CredentialPair;
}

export interface ReadingSettings {
  /** `auto`: a full one by the files of the data directory where they are at hand. */
  readonly way: 'auto' | 'stream';
  /** Default no limit. */
  readonly bytesPerSecond?: number;
}

/** One protected thing, whatever its kind; `componentsOf` lists all. */
export type ComponentSettings = DatabaseSettings | RedisSettings | FilesSettings | HostConfigurationSettings;

/** What every component has. */
interface AnyComponent {
  readonly id: ComponentId;
  readonly name: string;
  readonly host: string;
  /** Schedules as written (`daily 02:00`, `every 6h`), by kind. */
  readonly backup: Readonly<Partial<Record<string, string>>>;
  /** Absent: nothing of it is ever deleted. */
  readonly keep?: KeepSettings;
  readonly objective: { readonly rpoSeconds?: number; readonly rtoSeconds?: number };
}

export interface RedisSettings extends AnyComponent {
  readonly kind: 'redis';
  /** By reference, because it holds a password. */
  readonly url: SecretReference;
  readonly caFile?: string;
  /** Directory of the server's programs; default: on PATH. */
  readonly programs?: string;
  readonly dataDirectory?: string;
  /** What the server calls its files. */
  readonly files: { readonly rdb: string; readonly appendDirectory: string; readonly append: string };
  readonly service?: RedisService;
  readonly way: 'sync' | 'bgsave';
  readonly backup: Readonly<Partial<Record<'rdb' | 'aof', string>>>;
}

export type RedisService =
  | { readonly systemd: string }
  | { readonly commands: { readonly start: string; readonly stop: string } };

export interface FilesSettings extends AnyComponent {
  readonly kind: 'files';
  /** Absolute paths. */
  readonly roots: readonly string[];
  readonly rules: FilesRules;
  /** Default no limit. */
  readonly bytesPerSecond?: number;
  readonly hooks?: HookSettings;
  readonly backup: Readonly<Partial<Record<'snapshot', string>>>;
  /** The roots are on this host, and pulled from it. */
  readonly pull?: RemoteSettings;
  readonly mirror?: MirrorSettings;
}

/** A host that is reached over SSH. */
export interface RemoteSettings {
  /** `user@host`. */
  readonly ssh: string;
  readonly port?: number;
  /** Absolute paths. */
  readonly keyFile: string;
  readonly knownHosts: string;
  readonly rsync?: string;
  readonly silenceSeconds: number;
}

export interface MirrorSettings {
  /** Absolute. */
  readonly directory: string;
  readonly remote?: RemoteSettings;
  readonly exclude: readonly string[];
  readonly bytesPerSecond?: number;
  readonly maxDelete: number;
  /** As written; absent: after each snapshot only. */
  readonly schedule?: string;
  readonly behindSeconds: number;
}

/** What below a root is left out. */
export interface FilesRules {
  /** Lines of a gitignore file, relative to each root. */
  readonly exclude: readonly string[];
  readonly oneFileSystem: boolean;
  readonly cacheTags: boolean;
  /** Default no limit. */
  readonly largestBytes?: number;
}

/** Files of a host and outputs of commands, with their history in Git. */
export interface HostConfigurationSettings extends AnyComponent {
  readonly kind: 'configuration';
  /** Absolute; those with `*`, `?` or `[` are patterns. */
  readonly paths: readonly string[];
  readonly rules: FilesRules;
  readonly commands: readonly CommandSettings[];
  readonly redact: readonly RedactionSettings[];
  /** Lines of a gitignore file, of whole paths. */
  readonly withhold: readonly string[];
  readonly largestTextBytes: number;
  readonly remote?: GitRemoteSettings;
  readonly backup: Readonly<Partial<Record<'snapshot', string>>>;
}

export interface CommandSettings {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly timeoutSeconds: number;
  readonly largestBytes: number;
  readonly env: Readonly<Record<string, SecretReference>>;
  readonly runAs?: string;
}

export interface RedactionSettings {
  readonly pattern: string;
  readonly files?: readonly string[];
  readonly kind: string;
}

export interface GitRemoteSettings {
  readonly url: string;
  readonly branch: string;
  readonly user?: string;
  readonly password?: SecretReference;
  readonly sshKey?: string;
  readonly knownHosts?: string;
  readonly timeoutSeconds: number;
}

/** Commands around a snapshot, as words. */
export interface HookSettings {
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly withinSeconds: number;
}

export interface DatabaseSettings extends AnyComponent {
  readonly kind: 'database';
  /** Connection URL of a role with REPLICATION; by reference, because it holds a password. */
  readonly url: SecretReference;
  /** Base backups are read from it rather than from the primary; `behindBytes`: most log that it may not have replayed yet. */
  readonly standby?: { readonly url: SecretReference; readonly behindBytes: number };
  /** Data directory on the host; needed for restores in place. */
  readonly dataDirectory?: string;
  /** How the server is stopped and started around a restore in place. */
  readonly service?: ServiceSettings;
  /** Schedules as written (`daily 02:00`, `every 6h`), by kind. */
  readonly backup: Readonly<Partial<Record<'full' | 'incremental' | 'logical', string>>>;
  /** How base backups are read from the server. */
  readonly reading: ReadingSettings;
  readonly logical: LogicalSettings;
  /** `synchronous`: commits wait for the copies. */
  readonly log: { readonly withinSeconds: number; readonly synchronous: boolean };
  readonly keep?: KeepSettings & { readonly logSeconds: number };
  readonly facts: FactsSettings;
  readonly checks: readonly DatabaseCheck[];
}

/** What is noted of each database with every backup. */
export interface FactsSettings {
  /** Columns that never go back, as `parseColumnName` takes them. */
  readonly maximum: readonly string[];
  readonly withinSeconds: number;
}

/** How `pg_dump` is run, and on what. */
export interface LogicalSettings {
  /** Of a role that may read everything, where the component's own may not. */
  readonly url?: SecretReference;
  /** Of a role that may make databases, for loading dumps. */
  readonly loadUrl?: SecretReference;
  readonly jobs: number;
  /** Names of databases, in which `*` stands for anything; none: all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export type ServiceSettings =
  | { readonly pgCtl: { readonly options?: string; readonly logFile?: string } }
  | { readonly systemd: string }
  | { readonly commands: { readonly start: string; readonly stop: string; readonly status: string } };

/** The user's own question to a recovered server: one value, compared with `expect` (`> 0`, `= 42`, `= text`). */
export interface DatabaseCheck {
  readonly sql: string;
  readonly expect: string;
  readonly database?: string;
}

export interface KeepSettings {
  /** By retention class. */
  readonly classes: Readonly<Record<string, RetentionRules>>;
  /** The continuous window, of components that have a log. */
  readonly logSeconds?: number;
}

export interface RetentionSettings {
  /** As written: `daily 04:00`. */
  readonly schedule: string;
  readonly graceSeconds: number;
  /** Of the snapshots of a class, in one run, whichever is more; `share` from 0 to 1. */
  readonly maximum: { readonly share: number; readonly snapshots: number };
}

export interface VerifySettings {
  /** As written: `daily 05:00`. */
  readonly schedule: string;
  readonly level: IntegrityLevel;
  readonly withinDays: number;
  readonly budgetBytes?: number;
  readonly timeSeconds: number;
}

/** Who must approve what: `always` asks for the `approve` command before a restore in place touches anything. */
export interface ApprovalSettings {
  readonly restoreInPlace: 'never' | 'always';
  /** A plan nobody approved within this time is refused; default one hour. */
  readonly withinSeconds: number;
}
