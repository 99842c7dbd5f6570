// Writes the generated pages, or with `--check` says which of them are out of step and leaves with 1.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { renderCommands } from './commands.ts';
import { renderConfiguration } from './configuration.ts';
import { renderErrors } from './errors.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

/** Pages by their path in the repository. */
export async function generatedPages(): Promise<Record<string, string>> {
  const read = (file: string) => readFile(path.join(root, file), 'utf8');
  return {
    'docs/configuration.md': renderConfiguration(await read('config/holdfast.example.yaml')),
    'docs/errors.md': renderErrors(),
    'docs/cli.md': renderCommands(await read('docs/cli.md')),
  };
}

/** Paths of the pages that differ from what would be written. */
export async function stalePages(): Promise<string[]> {
  const pages = Object.entries(await generatedPages());
  const current = await Promise.all(pages.map(([file]) => readFile(path.join(root, file), 'utf8').catch(() => '')));
  return pages.filter(([, text], index) => current[index] !== text).map(([file]) => file);
}

export async function writePages(): Promise<string[]> {
  const stale = await stalePages();
  const pages = await generatedPages();
  for (const file of stale) await writeFile(path.join(root, file), pages[file] ?? '');
  return stale;
}
