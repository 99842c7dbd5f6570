// The paths of a component, patterns among them, as the roots that are there now.

import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors/index.ts';

export interface ExpandedPaths {
  /** Absolute, none inside of another. */
  readonly roots: readonly string[];
  readonly missing: readonly string[];
  readonly unmatched: readonly string[];
}

const PATTERN = /[*?[]/;
/** The system says that there is nothing; any other answer is not an absence. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

export function isPattern(text: string): boolean {
  return PATTERN.test(text);
}

/** Throws `FILES_ROOT` when nothing of it is there, or something cannot be looked at. */
export async function expandPaths(paths: readonly string[]): Promise<ExpandedPaths> {
  const expanded = await pathsNow(paths);
  if (expanded.roots.length === 0) {
    fail('FILES_ROOT', `none of the paths is there: ${paths.map((each) => `'${each}'`).join(', ')}`, {
      hint: 'is their disk mounted? Paths that are not wanted any more belong out of the configuration',
    });
  }
  return expanded;
}

/** There may be nothing of it. Throws `FILES_ROOT` when something cannot be looked at. */
export async function pathsNow(paths: readonly string[]): Promise<ExpandedPaths> {
  const found = new Set<string>();
  const missing: string[] = [];
  const unmatched: string[] = [];
  for (const each of paths) {
    const matches = await existingPaths(each);
    if (matches.length === 0) (isPattern(each) ? unmatched : missing).push(each);
    for (const match of matches) found.add(await straight(path.resolve(match)));
  }
  return { roots: outermost([...found]), missing, unmatched };
}

/** A path that is a link to a file stands for that file; one that is a link to a directory has its own name, as of files. */
async function straight(place: string): Promise<string> {
  const isLink = (await lstat(place)).isSymbolicLink();
  return isLink && !(await stat(place)).isDirectory() ? await realpath(place) : place;
}

/** What a path or a pattern stands for now. Throws `FILES_ROOT` when it cannot be told. */
export async function existingPaths(each: string): Promise<string[]> {
  if (isPattern(each)) return await matchesOf(each);
  return (await exists(each)) ? [each] : [];
}

/** As a shell does: `*`, `?` and `[…]` within a name, and a leading point only where the pattern has one. */
async function matchesOf(pattern: string): Promise<string[]> {
  let places = ['/'];
  for (const segment of pattern.split('/').filter((each) => each !== '')) {
    const next: string[] = [];
    for (const place of places) {
      if (!isPattern(segment)) next.push(path.join(place, segment));
      else next.push(...(await namesIn(place, segment)).map((name) => path.join(place, name)));
    }
    places = next;
  }
  const there: string[] = [];
  for (const place of places) if (await exists(place)) there.push(place);
  return there;
}

async function namesIn(directory: string, segment: string): Promise<string[]> {
  const matches = expressionOf(segment);
  try {
    const names = await readdir(directory);
    return names.filter((name) => matches.test(name) && (!name.startsWith('.') || segment.startsWith('.')));
  } catch (error) {
    if (ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) return [];
    return cannotLook(directory, error);
  }
}

function expressionOf(segment: string): RegExp {
  const source = segment.replaceAll(/\[(?:!|\^)?[^\]]+\]|[*?]|[.+^${}()|\\[\]]/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length === 1) return `\\${part}`;
    return part.replace(/^\[[!^]/, '[^').replaceAll('\\', '\\\\');
  });
  return new RegExp(`^${source}$`, 'u');
}

/** A link that leads nowhere is nothing. */
async function exists(place: string): Promise<boolean> {
  try {
    await stat(place);
    return true;
  } catch (error) {
    if (ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) return false;
    return cannotLook(place, error);
  }
}

function cannotLook(place: string, cause: unknown): never {
  return fail('FILES_ROOT', `'${place}' cannot be looked at: ${(cause as Error).message}`, { cause });
}

/** What is inside of another one is captured with that. */
function outermost(roots: readonly string[]): string[] {
  return roots.filter(
    (root) => !roots.some((other) => other !== root && root.startsWith(other === '/' ? '/' : `${other}/`)),
  );
}
