// The check of a component of files: every root is there, can be listed, and is not mounted away.

import { opendir, stat } from 'node:fs/promises';
import { type Configuration, type FilesSettings, stateDirectoryOf } from '../../config/index.ts';
import type { CheckResult } from '../domain/setup-report.ts';
import { checkMirror, checkPull } from './check-pull.ts';

export async function checkFiles(
  configuration: Configuration,
  settings: FilesSettings,
  signal: AbortSignal = new AbortController().signal,
): Promise<CheckResult[]> {
  const { roots, pull, mirror, host } = settings;
  const stateDirectory = stateDirectoryOf(configuration, host);
  if (pull) return await checkPull(settings, pull, stateDirectory, signal);
  const looks = await Promise.all(roots.map((root) => checkRoot(root)));
  const beside = mirror ? await checkMirror(configuration, settings, mirror, signal) : [];
  return [...looks, whoReads(), ...beside];
}

async function checkRoot(root: string): Promise<CheckResult> {
  const name = `root ${root}`;
  try {
    const seen = await stat(root);
    if (!seen.isDirectory()) return { name, ok: true, message: 'a file' };
    const directory = await opendir(root);
    const first = await directory.read().finally(() => directory.close());
    if (first !== null) return { name, ok: true, message: 'can be listed' };
    const hint = 'is its disk mounted? A snapshot would be taken of an empty directory';
    return { name, ok: false, message: 'is empty', hint };
  } catch (error) {
    const hint = 'is its disk mounted, and may the worker read it? `roots` in the configuration names it';
    return { name, ok: false, message: (error as Error).message, hint };
  }
}

/** What may not be read is told by every backup; who reads is told beforehand. */
function whoReads(): CheckResult {
  const isRoot = process.geteuid?.() === 0;
  const message = isRoot
    ? 'the worker is root: it reads everything and gives back owners'
    : 'the worker is not root: it reads what its user may, and a restore cannot give back other owners';
  return { name: 'reader', ok: true, message };
}
