// The closed list of everything that can go wrong, declared once: what it means, how a command exits, whether trying again can help, what to do next.

export interface CatalogueEntry {
  /** What happened, in the words of `docs/errors.md`. */
  readonly meaning: string;
  /** Exit status of a command that ends with this error (see `exitCodes`). */
  readonly exit: number;
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** What to try next, when the place that throws knows nothing better. */
  readonly hint: string;
}

/** Exit statuses of every command. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  found: 4,
  stuck: 5,
  rolledBack: 6,
} as const;

const { failed, usage, refused, found, stuck, rolledBack } = exitCodes;

function entry(exit: number, retryable: boolean, meaning: string, hint: string): CatalogueEntry {
  return { meaning, exit, retryable, hint };
}

export const catalogue = {
  // Use and configuration
  USAGE: entry(usage, false, 'the command line is wrong', 'see `holdfast --help`'),
  CONFIG_NOT_FOUND: entry(
    usage,
    false,
    'no configuration file was found',
    'name one with `-c FILE` or HOLDFAST_CONFIG, or run in the directory of `holdfast.yaml`',
  ),
  CONFIG_INVALID: entry(
    usage,
    false,
    'the configuration file does not say what is expected',
    'mend each place that is named; docs/configuration.md tells what every key takes',
  ),
  CONFIG_MISMATCH: entry(
    refused,
    false,
    'the worker runs with another configuration than the one this command read',
    'restart the worker with the same file, or use the file the worker has',
  ),
  SECRET_UNRESOLVED: entry(
    usage,
    false,
    'a secret named by reference could not be read',
    'check the variable or the file that the reference names, for the user that runs this process',
  ),
  MOMENT_INVALID: entry(
    usage,
    false,
    'a moment could not be understood',
    'write it as ISO 8601, for example 2026-11-23T05:59:59Z',
  ),
  UNKNOWN_COMPONENT: entry(usage, false, 'no such component is configured', '`holdfast status` lists the components'),
  NOT_FOUND: entry(usage, false, 'what was asked for does not exist', '`holdfast list` shows the snapshots'),

  NOT_CONFIRMED: entry(
    refused,
    false,
    'a question to the person was not answered with what was asked for',
    'type what the question asks for, or answer it beforehand with `--yes`',
  ),

  // Child processes and the machine
  PROCESS_FAILED: entry(failed, true, 'a program ended with an error', 'its last lines are shown above'),
  PROCESS_TIMEOUT: entry(
    failed,
    true,
    'a program took longer than it may',
    'look at the load of the machine, then try again',
  ),
  PROGRAM_MISSING: entry(failed, false, 'a program that is needed is not installed', 'install it and try again'),
  CANCELLED: entry(failed, false, 'the operation was cancelled', 'start it again when you want it'),
  NO_SPACE: entry(refused, false, 'there is not enough room on the disk', 'make room, or choose another directory'),
  LOCKED: entry(
    refused,
    true,
    'another process is working in the same place',
    'wait for it, or see `holdfast status` for what is running',
  ),
  FENCED: entry(failed, false, 'a newer run has taken over', 'see `holdfast show` for the run that holds the lease'),

  // Stores and the vault
  STORE_UNAVAILABLE: entry(
    failed,
    true,
    'a store did not answer as it should',
    'check that the store is up and reachable',
  ),
  STORE_DENIED: entry(refused, false, 'a store refused our credentials', 'check the credentials and what they permit'),
  STORE_UNFIT: entry(
    refused,
    false,
    'a store lacks a property that the configuration asks for',
    'change the store or the setting that asks for it',
  ),
  OBJECT_MISSING: entry(
    failed,
    false,
    'an object that must be there is missing',
    'try another copy: `holdfast copies`',
  ),
  OBJECT_EXISTS: entry(
    failed,
    false,
    'an object with this name exists with other content',
    'this is an alarm: find out who wrote it',
  ),
  OBJECT_LOCKED: entry(
    refused,
    false,
    'an object is locked and cannot be deleted',
    'wait until its lock ends; nobody can end it earlier',
  ),
  OBJECT_DAMAGED: entry(failed, false, 'stored bytes are not what was written', 'try another copy: `holdfast copies`'),
  VAULT_MISSING: entry(refused, false, 'there is no vault in this store', 'run `holdfast setup`'),
  VAULT_OTHER: entry(
    refused,
    false,
    'the store holds another vault',
    'check the bucket or directory in the configuration',
  ),
  VAULT_KEY_WRONG: entry(
    refused,
    false,
    'the key does not open this vault',
    'check the key file or passphrase; any one key slot opens the vault',
  ),
  KEY_LAST: entry(
    refused,
    false,
    'without this key slot nothing that is at hand would open the vault',
    'add another key first: `holdfast keys add NAME`',
  ),
  KEY_SERVICE_UNAVAILABLE: entry(
    failed,
    true,
    'a key service did not answer as it should',
    'check that it is up and reachable; any other key slot opens the vault meanwhile',
  ),
  KEY_SERVICE_DENIED: entry(
    refused,
    false,
    'a key service refused to work with the key',
    'is the key enabled, and may our credentials use it (kms:GenerateDataKey, kms:Decrypt)?',
  ),
  VAULT_FORMAT: entry(
    refused,
    false,
    'the vault has a format this version does not read',
    'use the version of Holdfast that wrote it',
  ),
  RETENTION_DOUBT: entry(
    refused,
    false,
    'what may be deleted cannot be told for certain, so nothing is',
    'mend what is named, then run `holdfast retention plan`',
  ),
  RETENTION_MAXIMUM: entry(
    refused,
    false,
    'more snapshots of a class would be marked for deletion at once than `retention.maximum` allows, so none is',
    "compare 'keep' and the clocks with what `holdfast retention plan` shows; if all of it is meant, `holdfast retention apply --beyond-maximum`",
  ),
  POLICY_UNMET: entry(
    failed,
    true,
    'fewer copies hold the data than the policy asks for',
    'see `holdfast status` for the copies that are away',
  ),

  // PostgreSQL: source
  DATABASE_UNREACHABLE: entry(
    failed,
    true,
    'the database cannot be reached',
    'is the server running, and is the address right?',
  ),
  DATABASE_AUTH: entry(refused, false, 'the database refused our role or password', 'check the url of the database'),
  DATABASE_PRIVILEGE: entry(refused, false, 'our database role lacks a privilege', 'run the statement shown'),
  DATABASE_HBA: entry(refused, false, 'pg_hba.conf does not let us in', 'add the line shown to pg_hba.conf and reload'),
  DATABASE_SETTING: entry(refused, false, 'a setting of the server does not allow this', 'change the setting shown'),
  DATABASE_IDENTITY: entry(
    refused,
    false,
    'this is another database cluster than the one expected',
    'check the host, the port and the data directory; nothing was touched',
  ),
  TOOL_VERSION: entry(
    refused,
    false,
    'the installed PostgreSQL programs do not fit the server',
    'install the programs of the major version of the server',
  ),
  LOG_HOLE: entry(
    failed,
    false,
    'part of the write-ahead log is missing',
    'see `holdfast status` for the holes; take a new full backup',
  ),
  SLOT_LOST: entry(
    failed,
    false,
    'the replication slot is gone or has lost log',
    'a new slot and a new full backup are made; see `holdfast status`',
  ),
  SLOT_FILLS: entry(
    failed,
    true,
    'the replication slot keeps so much log that the server loses it, or its disk fills up',
    'see `holdfast copies` for the copy that takes no log; `holdfast status` tells how long the server can wait',
  ),
  SLOT_BUSY: entry(failed, true, 'another process is connected to the replication slot', 'is a second worker running?'),
  REDIS_UNREACHABLE: entry(
    failed,
    true,
    'a Redis server cannot be reached, or is not ready',
    'is the server running, and is the address right?',
  ),
  REDIS_AUTH: entry(refused, false, 'a Redis server refused our user or password', 'check the url of the server'),
  REDIS_PRIVILEGE: entry(
    refused,
    false,
    'our user of a Redis server may not run a command',
    'docs/redis.md tells the least that it needs',
  ),
  REDIS_UNFIT: entry(
    refused,
    false,
    'a Redis server cannot be captured or restored as it runs',
    'docs/redis.md tells what is supported',
  ),
  REDIS_IDENTITY: entry(
    refused,
    false,
    'this is another Redis server, or another life of it, than the plan was made for',
    'look at the server and start again; nothing was touched',
  ),
  FILES_ROOT: entry(
    refused,
    true,
    'a root of a files component cannot be looked at, or lies inside of another one',
    'mount its disk, give the worker the right to read it, or take it out of the configuration',
  ),
  REMOTE_UNREACHABLE: entry(
    failed,
    true,
    'a host cannot be reached over SSH, or does not let us in',
    'try it by hand with the same key: `holdfast check` tells what is missing',
  ),
  RSYNC_INCOMPLETE: entry(
    failed,
    true,
    'rsync could not read or write everything',
    'give the user of the other side the right to read it (`sudo rsync`), or leave it out',
  ),
  BACKUP_INVALID: entry(
    failed,
    true,
    'the backup did not pass its own verification',
    'see the run for the files, then take a new backup',
  ),

  // PostgreSQL: recovery
  TARGET_OUTSIDE: entry(refused, false, 'the target cannot be recovered', 'choose one of the nearest moments shown'),
  TARGET_AMBIGUOUS: entry(refused, false, 'the target exists more than once', 'name the timeline with `--timeline N`'),
  NO_SNAPSHOT: entry(refused, false, 'no snapshot can serve this recovery', 'see `holdfast list`'),
  TARGET_UNFIT: entry(refused, false, 'the place to recover into is not fit for it', 'choose another directory'),
  APPROVAL_REQUIRED: entry(
    refused,
    false,
    'the plan was not approved',
    'start it again and approve the plan that is shown',
  ),
  PLAN_CHANGED: entry(refused, false, 'the plan is no longer what was shown', 'look at the new plan and start again'),
  RECOVERY_FAILED: entry(
    failed,
    true,
    'the recovered server did not reach the target',
    'its last log lines are shown above',
  ),
  RECOVERY_MISMATCH: entry(
    failed,
    false,
    'the recovered moment is not the planned one',
    'keep the directory for analysis and recover from another snapshot',
  ),
  CHECK_FAILED: entry(found, false, 'a check found what should not be', 'the check and its result are shown above'),
  JOURNAL_STATE: entry(
    refused,
    false,
    'the journal beside the data does not allow this step',
    '`holdfast show` tells what was done; then `holdfast confirm` or `holdfast rollback`',
  ),

  // Processes
  TEMPORAL_UNREACHABLE: entry(
    failed,
    true,
    'the Temporal server cannot be reached',
    'is it running, and is the profile right?',
  ),
  NO_WORKER: entry(failed, true, 'no worker takes the task', 'start `holdfast worker` on the host'),
  ALREADY_RUNNING: entry(refused, true, 'the same operation is running', 'see `holdfast status`'),
  ROLLED_BACK: entry(
    rolledBack,
    false,
    'the operation failed and was undone',
    'the first error tells why; everything is as before',
  ),
  STUCK: entry(
    stuck,
    false,
    'the operation failed and could not be undone',
    'what is left and what to do is shown above',
  ),
  INTERNAL: entry(failed, false, 'an error that nobody foresaw', 'please report it with the run and the log'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(catalogue, text);
}
