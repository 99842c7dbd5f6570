// Finds or makes the Temporal server with its UI: on PATH, in the cache, by the SDK's download, or built from source.
import { chmod, copyFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory, install } from './cache.mjs';
import { SetUpError } from './report.mjs';
import { run, tail, which } from './run.mjs';

/** The last release that `go install` takes: later modules carry a `replace` directive. */
const pinnedVersion = '1.5.1';
/** Older servers have workflow updates, which approvals need, switched off. */
const oldestServer = [1, 25];
const folderName = `temporal-${pinnedVersion}`;

/** Versions of the program and of the server in it; a program built from source calls itself 0.0.0-DEV. */
async function versionsOf(program) {
  const answer = await run(program, ['--version'], { timeoutMs: 60_000 });
  const match = answer.ok ? /version v?(\S+) \(Server (\d+)\.(\d+)\./.exec(answer.stdout) : undefined;
  return match && { program: match[1], server: [Number(match[2]), Number(match[3])] };
}

async function onPath() {
  const program = await which('temporal');
  const versions = program && (await versionsOf(program));
  if (!versions) return undefined;
  const [major, minor] = versions.server;
  const isNewEnough = major > oldestServer[0] || (major === oldestServer[0] && minor >= oldestServer[1]);
  return isNewEnough ? { path: program, version: versions.program, source: 'PATH' } : undefined;
}

async function cached() {
  const program = path.join(cacheDirectory(), folderName, 'temporal');
  return (await versionsOf(program)) && { path: program, version: pinnedVersion, source: 'cache' };
}

async function downloadedBySdk(node, note) {
  note("trying the SDK's download");
  const script = fileURLToPath(new URL('./temporal-download.mjs', import.meta.url));
  await install(folderName, async (folder) => {
    // The SDK gives up after 10 s without a connection; the download itself may take a while.
    const answer = await run(node, [script, folder, `v${pinnedVersion}`], { timeoutMs: 120_000 });
    const downloaded = answer.stdout.trim().split('\n').at(-1);
    if (!answer.ok || !downloaded) throw new Error('not downloaded');
    await copyFile(downloaded, path.join(folder, 'temporal'));
    await chmod(path.join(folder, 'temporal'), 0o755);
    await rm(downloaded);
  });
  const result = await cached();
  return result && { ...result, source: "the SDK's download" };
}

async function builtByGo(note) {
  const module = `github.com/temporalio/cli/cmd/temporal@v${pinnedVersion}`;
  const go = await which('go');
  if (!go) {
    throw new SetUpError(
      'no Temporal server: none on PATH, none could be downloaded, and there is no Go to build one',
      'curl -sSf https://temporal.download/cli.sh | sh   (then put it on PATH), or install Go 1.23 or newer',
    );
  }
  note(`building it with ${go} (about 4 min on 2 cores, once)`);
  await install(folderName, async (folder) => {
    // Without cgo no C compiler is needed; without symbols the program is a third smaller.
    const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' };
    const built = await run(go, ['install', '-ldflags=-s -w', module], { env, timeoutMs: 45 * 60_000 });
    if (!built.ok) {
      const remedy = `CGO_ENABLED=0 GOBIN=/usr/local/bin go install ${module}`;
      throw new SetUpError(`the Temporal server could not be built:\n${tail(built)}`, remedy);
    }
  });
  const result = await cached();
  return result && { ...result, source: 'built by Go' };
}

/**
 * @param {() => Promise<string>} node the pinned Node, once it is there
 * @param {(text: string) => void} note
 * @returns {Promise<{ path: string, version: string, source: string }>}
 */
export async function ensureTemporal(node, note) {
  const found = (await onPath()) ?? (await cached());
  if (found) return found;
  const downloaded = await downloadedBySdk(await node(), note).catch(() => undefined);
  const made = downloaded ?? (await builtByGo(note));
  if (made) return made;
  const file = path.join(cacheDirectory(), folderName, 'temporal');
  throw new SetUpError(
    `'${file}' was made but does not answer to --version`,
    `rm -r ${path.dirname(file)}, and try again`,
  );
}
