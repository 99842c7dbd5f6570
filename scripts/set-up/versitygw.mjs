// Finds or builds the second S3 server of the tests, which keeps a bucket in a directory: on PATH, in the cache, or built from source.
import path from 'node:path';
import { cacheDirectory, install } from './cache.mjs';
import { SetUpError } from './report.mjs';
import { run, tail, which } from './run.mjs';

const pinnedVersion = '1.8.0';
const folderName = `versitygw-${pinnedVersion}`;

/** What `--version` prints. A program built by `go install` says `git`. */
async function versionOf(program) {
  const answer = await run(program, ['--version'], { timeoutMs: 60_000 });
  return answer.ok ? /^Version\s*: v?(\S+)/m.exec(answer.stdout)?.[1] : undefined;
}

/** Capabilities differ from version to version, and the tests state them: another version is none. */
async function onPath() {
  const program = await which('versitygw');
  const version = program && (await versionOf(program));
  return version === pinnedVersion ? { path: program, version, source: 'PATH' } : undefined;
}

async function cached() {
  const program = path.join(cacheDirectory(), folderName, 'versitygw');
  return (await versionOf(program)) && { path: program, version: pinnedVersion, source: 'cache' };
}

async function builtByGo(note) {
  const module = `github.com/versity/versitygw/cmd/versitygw@v${pinnedVersion}`;
  const go = await which('go');
  if (!go) {
    throw new SetUpError(
      `no versitygw ${pinnedVersion} on PATH, and there is no Go to build it`,
      'install Go 1.26 or newer, or put versitygw of that version on PATH',
    );
  }
  note(`building it with ${go} (about 70 s on 2 cores, once)`);
  await install(folderName, async (folder) => {
    const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' };
    const built = await run(go, ['install', '-ldflags=-s -w', module], { env, timeoutMs: 30 * 60_000 });
    if (!built.ok) {
      const remedy = `CGO_ENABLED=0 GOBIN=/usr/local/bin go install ${module}`;
      throw new SetUpError(`versitygw could not be built:\n${tail(built)}`, remedy);
    }
  });
  const result = await cached();
  return result && { ...result, source: 'built by Go' };
}

/** @param {(text: string) => void} note @returns {Promise<{ path: string, version: string, source: string }>} */
export async function ensureVersitygw(note) {
  const made = (await onPath()) ?? (await cached()) ?? (await builtByGo(note));
  if (made) return made;
  const folder = path.join(cacheDirectory(), folderName);
  throw new SetUpError(`'${folder}/versitygw' was made but does not start`, `rm -r ${folder}, and try again`);
}
