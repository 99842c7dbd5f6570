// Running rescue.mjs as somebody would who has a copy of a vault and nothing else: taken from the copy, in an empty directory.

import { access, copyFile, lstat, mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { tryRun } from '../../src/process/index.ts';

export interface Runtime {
  readonly name: string;
  readonly node: string;
  readonly args: readonly string[];
}

export interface RescueRun {
  readonly status: number | undefined;
  readonly said: string;
  readonly complained: string;
}

/** The host's own Node (20 knows no zstd), the pinned one, and the pinned one made to use the zstd program. */
export async function runtimes(): Promise<readonly Runtime[]> {
  return [
    { name: "the host's own Node", node: await hostNode(), args: [] },
    { name: 'the pinned Node', node: process.execPath, args: [] },
    { name: 'the pinned Node with the zstd program', node: process.execPath, args: ['--zstd', 'zstd'] },
  ];
}

async function hostNode(): Promise<string> {
  for (const directory of (process.env.PATH ?? '').split(path.delimiter)) {
    const candidate = path.join(directory, 'node');
    if (directory.includes('node_modules') || candidate === process.execPath) continue;
    if (
      await access(candidate).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  throw new Error('there is no node on PATH beside the pinned one');
}

/** A directory with rescue.mjs as the copy holds it. */
export async function takeRescue(copy: string, directory: string): Promise<string> {
  await mkdir(directory);
  const script = path.join(directory, 'rescue.mjs');
  await copyFile(path.join(copy, 'rescue.mjs'), script);
  return script;
}

export async function rescue(script: string, runtime: Runtime, args: readonly string[]): Promise<RescueRun> {
  const { exitCode, stdout, stderrTail } = await tryRun(runtime.node, [script, ...runtime.args, ...args], {
    cwd: path.dirname(script),
  });
  return { status: exitCode, said: stdout, complained: stderrTail };
}

export interface FoundFile {
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly content?: string;
  readonly linkTarget?: string;
}

/** Everything below a directory, links not followed; `content` in base64. */
export async function readTree(root: string): Promise<Record<string, FoundFile>> {
  const found: Record<string, FoundFile> = {};
  for (const name of (await readdir(root, { recursive: true })).sort()) {
    const file = path.join(root, name);
    const stat = await lstat(file);
    const common = { mode: stat.mode & 0o7777, mtimeSeconds: Math.floor(stat.mtimeMs / 1000) };
    if (stat.isSymbolicLink())
      found[name] = { type: 'symlink', mode: 0o777, mtimeSeconds: 0, linkTarget: await readlink(file) };
    else if (stat.isDirectory()) found[name] = { type: 'directory', ...common };
    else found[name] = { type: 'file', ...common, content: (await readFile(file)).toString('base64') };
  }
  return found;
}
