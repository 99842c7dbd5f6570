// Writes what an engineer would write for the sandbox: holdfast.yaml, and the secrets that it refers to.

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generateKeyFile } from '../vault/key-file.ts';
import type { Sandbox } from './state.ts';
import { statementsDirectory } from './statements.ts';

/** Host of the sandbox in its configuration; its queues carry the name. */
export const sandboxHost = 'here';
export const sandboxEstate = 'sandbox';

type Described = Pick<Sandbox, 'directory' | 'temporal' | 'postgres' | 'copies' | 'logs'>;

/**
 * Makes the key, the passphrase and every secret as files of mode 0600, and the configuration that names them; with incremental backups
 * every six hours where they are wanted and the server takes them, and a folder of files where that is.
 */
export async function writeConfiguration(
  sandbox: Described,
  { incremental = true, files = false }: { readonly incremental?: boolean; readonly files?: boolean } = {},
): Promise<Pick<Sandbox, 'configuration' | 'keyFile' | 'passphraseFile'>> {
  const { directory, postgres, copies } = sandbox;
  const secrets = path.join(directory, 'secrets');
  const configuration = path.join(directory, 'holdfast.yaml');
  const keyFile = path.join(secrets, 'vault.key');
  const passphraseFile = path.join(secrets, 'passphrase');
  await mkdir(secrets, { mode: 0o700 });
  await generateKeyFile(keyFile);
  const texts = {
    passphrase: randomBytes(16).toString('hex'),
    'database-url': postgres.holdfastUrl,
    'eu-access-key': copies.eu.accessKeyId,
    'eu-secret-key': copies.eu.secretAccessKey,
    'us-access-key': copies.us.accessKeyId,
    'us-secret-key': copies.us.secretAccessKey,
  };
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(path.join(secrets, name), `${text}\n`, { mode: 0o600 });
  }
  const text = configurationText(sandbox, incremental && postgres.major >= 17);
  await writeFile(configuration, files ? text + filesText(directory) : text);
  return { configuration, keyFile, passphraseFile };
}

function filesText(directory: string): string {
  return `
files:
  statements:
    host: ${sandboxHost}
    roots: [${JSON.stringify(statementsDirectory(directory))}]
    exclude: ["*.tmp"] # as in a .gitignore
    backup: { snapshot: every 1h, rate: 50MB/s }
    keep: 90d
    objective: { rpo: 1h }
`;
}

function configurationText({ temporal, postgres, copies, logs }: Described, incremental: boolean): string {
  const bucket = (name: 'eu' | 'us') => `      s3:
        bucket: ${copies[name].bucket}
        region: ${copies[name].region}
        endpoint: ${copies[name].endpoint}
        accessKeyId: file:secrets/${name}-access-key
        secretAccessKey: file:secrets/${name}-secret-key`;
  const runAs = postgres.runAs === undefined ? '' : `, runAs: ${postgres.runAs}`;
  return `# A sandbox: one PostgreSQL server, three copies of its vault in two sites. Every key is explained in docs/configuration.md.
name: ${sandboxEstate}
timezone: UTC
temporal: { address: "${temporal.address}", ui: "${temporal.ui}" }

sites:
  home: {} # where the database is
  dr: {} # where we would go

hosts:
  # one worker runs here; servers that it starts for a recovery run as the user named
  ${sandboxHost}: { site: home, stateDirectory: state${runAs} }

vault:
  keys: # any one of them opens the vault; in real life one is kept off the host
    - { name: host, file: secrets/vault.key }
    - { name: safe, passphrase: "file:secrets/passphrase" }
  copies:
    local:
      file: copies/local
      site: home
    eu:
${bucket('eu')}
      site: home
      offsite: true
    us:
${bucket('us')}
      site: dr
      offsite: true
  commit: { copies: 2, offsite: 1 } # what "durable" means here, for snapshots and for the log

database:
  main:
    host: ${sandboxHost}
    url: file:secrets/database-url # a reference, never the password itself
    dataDirectory: ${JSON.stringify(postgres.dataDirectory)}
    service: { pgCtl: { logFile: ${JSON.stringify(path.join(logs, 'postgres.log'))} } }
    backup: { full: daily 02:00${incremental ? ', incremental: every 6h' : ''} }
    log: { within: 15min }
    keep: { full: 90d, log: 24h } # without this nothing is ever deleted
    objective: { rpo: 15min, rto: 2h }
    checks: # questions to a recovered server before it is let in
      - { sql: "select count(*) from pg_database", expect: ">= 3" }
`;
}
