// Names to which Git itself gives a meaning, in all the ways in which some file system takes another name for one of them.

import type { Withheld } from '../types.ts';

/** HFS+ passes over these in names (Git, utf8.c). */
const PASSED_OVER = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** NTFS ends a name there, or passes over it at the end (Git, path.c). */
const ENDED = /[\s.]*(?::.*)?$/s;
/** Also the short names that NTFS makes of them, of which more digits leave fewer letters. */
const REFUSED = /^(?:\.git|git~\d+|\.gitmodules|gitmod~\d+|gi7[0-9a-f]{0,3}~\d+|(?=.{8}$)(?:gi?7?)?~\d+)$/i;
/** Wherever it is, Git, and who clones, does to the files beside it what it says; and a remote refuses it for a long line. */
const OBEYED = /^(?:\.gitattributes|gitatt~\d+)$/i;

/** Why a commit must not have the name (as a text, with `/`); undefined when it may. */
export function unfitForGit(
  name: string,
): Extract<Withheld['why'], 'name that Git cannot hold' | 'name that Git obeys'> | undefined {
  const parts = name.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return 'name that Git cannot hold';
  const plain = parts.flatMap((part) => part.split('\\')).map((part) => plainName(part));
  if (plain.some((part) => REFUSED.test(part))) return 'name that Git cannot hold';
  return plain.some((part) => OBEYED.test(part)) ? 'name that Git obeys' : undefined;
}

function plainName(part: string): string {
  return part.replaceAll(PASSED_OVER, '').replace(ENDED, '');
}
