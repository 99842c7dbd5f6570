// An SSH server on loopback as a process without rights: a key of its own, one key that it lets in, and a user who can do nothing but what ours can.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { RemoteHost } from '../../src/files/index.ts';
import { findUser, type RunningProcess, run, start } from '../../src/process/index.ts';
import { serverUser } from '../../src/sandbox/index.ts';
import { keepLog } from './keep-log.ts';
import { findTestComponents } from './s3-servers.ts';
import { freePort } from './scratch-postgres.ts';
import { temporaryDirectory } from './temporary.ts';
import { waitFor } from './wait-for.ts';

type Scope = { after(fn: () => Promise<void>): void };

export interface TestSshServer {
  readonly remote: RemoteHost & { readonly port: number };
  readonly user: string;
  readonly uid: number;
  /** Reachable by its user. */
  readonly directory: string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function testSshServer(t: Scope): Promise<TestSshServer> {
  const { sshd } = await findTestComponents();
  const directory = await temporaryDirectory(t);
  const runAs = await serverUser();
  const user = runAs ?? os.userInfo().username;
  const { uid, gid } = await findUser(user);
  const at = (name: string) => path.join(directory, name);
  for (const name of ['host-key', 'key']) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  if (runAs !== undefined) await run('chown', [`${uid}:${gid}`, at('host-key')]);
  const port = await freePort();
  const [type, hostKey] = (await readFile(at('host-key.pub'), 'utf8')).split(' ');
  await writeFile(at('known-hosts'), `[127.0.0.1]:${port} ${type} ${hostKey}\n`);
  await writeFile(at('sshd.conf'), configurationText(port, at));
  const logFile = at('sshd.log');
  await writeFile(logFile, '');
  await chmod(logFile, 0o666);
  await keepLog(logFile);
  let child: RunningProcess | undefined;
  const server: TestSshServer = {
    remote: { ssh: `${user}@127.0.0.1`, port, keyFile: at('key'), knownHosts: at('known-hosts'), silenceSeconds: 60 },
    ...{ user, uid, directory },
    async start() {
      const env = sshd.libraries === '' ? {} : { LD_LIBRARY_PATH: sshd.libraries };
      const options = { logFile, env, ...(runAs !== undefined && { runAs }) };
      const before = (await readFile(logFile, 'utf8')).length;
      child = await start(sshd.path, ['-D', '-e', '-f', at('sshd.conf')], options);
      await waitFor('the SSH server to listen', async () =>
        (await readFile(logFile, 'utf8')).slice(before).includes('Server listening'),
      );
    },
    async stop() {
      await child?.stop({ signal: 'SIGTERM' });
      child = undefined;
    },
  };
  t.after(() => server.stop());
  await mkdir(at('tmp'), { recursive: true });
  await server.start();
  return server;
}

function configurationText(port: number, at: (name: string) => string): string {
  return [
    ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${at('host-key')}`, `AuthorizedKeysFile ${at('key.pub')}`],
    ...['StrictModes no', 'UsePAM no', 'PidFile none', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no'],
    '',
  ].join('\n');
}
