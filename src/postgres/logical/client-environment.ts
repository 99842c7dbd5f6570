// How PostgreSQL's own client programs are told where to connect: by their environment alone, so that no password is ever in argv.

import { fail } from '../../errors/index.ts';
import type { Source } from '../types.ts';

export interface ClientEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** Not to be seen in anything that a program prints. */
  readonly secrets: readonly string[];
}

/** Parameters of a url that libpq also takes from variables (PostgreSQL manual, "Environment Variables" of libpq). */
const variables: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  options: 'PGOPTIONS',
};

/** Throws `SECRET_UNRESOLVED`, never with the url in it. */
export function clientEnvironment({ url, component, database }: Source): ClientEnvironment {
  const parsed = parse(url, component);
  const env: Record<string, string> = { PGAPPNAME: 'holdfast', PGCONNECT_TIMEOUT: '15' };
  const set = (name: string, value: string) => {
    if (value !== '') env[name] = decodeURIComponent(value);
  };
  if (parsed.hostname !== NO_HOST) set('PGHOST', parsed.hostname.replace(/^\[(.*)\]$/, '$1'));
  set('PGPORT', parsed.port);
  set('PGUSER', parsed.username);
  set('PGPASSWORD', parsed.password);
  set('PGDATABASE', parsed.pathname.slice(1));
  for (const [name, value] of parsed.searchParams) {
    const variable = variables[name];
    if (variable !== undefined) env[variable] = value;
  }
  // What the library for our own sessions calls so is `require` for libpq: encrypted, by whatever certificate.
  if (env.PGSSLMODE === 'no-verify') env.PGSSLMODE = 'require';
  if (database !== undefined) env.PGDATABASE = database;
  const { PGPASSWORD: password } = env;
  return { env, secrets: password === undefined ? [] : [password] };
}

/** What is made without the name of a tablespace goes into the database's own, whatever role or database have set for new tables. */
export function inOwnTablespace({ env, secrets }: ClientEnvironment): ClientEnvironment {
  const options = [env.PGOPTIONS, '-c default_tablespace='].filter((each) => each !== undefined);
  return { env: { ...env, PGOPTIONS: options.join(' ') }, secrets };
}

/** A database as an argument that programs expand: a name with `=` in it would be read as more than a name. */
export function databaseArgument(name: string): string {
  return `--dbname=dbname='${name.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** The same server and role, another database. */
export function inDatabase(source: Source, database: string): Source {
  return { ...source, database };
}

/** A url may leave the host to a parameter (`postgres://role@/database?host=/run/postgresql`), which the platform's parser does not allow. */
const NO_HOST = 'no-host.invalid';

function parse(url: string, component: string): URL {
  const whole = url.replace(/^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)(?=[/?]|$)/, `$1${NO_HOST}`);
  const parsed = URL.canParse(whole) ? new URL(whole) : undefined;
  if (parsed !== undefined && /^postgres(ql)?:$/.test(parsed.protocol)) return parsed;
  return fail('SECRET_UNRESOLVED', `the url of '${component}' is not the url of a PostgreSQL database`, {
    hint: 'expected postgresql://role:password@host:port/database',
  });
}
