// Secrets that Holdfast's own configuration refers to, as far as this host has them: no text of a configuration may show them.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Configuration, resolveSecret, secretFiles, secretReferences } from '../../config/index.ts';
import type { OwnSecrets } from '../configuration/index.ts';
import { isHoldfastError } from '../errors/index.ts';

type Reference = Parameters<typeof resolveSecret>[0];

const FILE = 'file:';
/** Shorter ones stand in other words. */
const SHORTEST = 6;

/** What is not there is another host's, and not missed here. What cannot be read is told: it is not known to be another's. */
export async function ownSecrets(configuration: Configuration): Promise<Required<OwnSecrets>> {
  const { addresses, values } = secretReferences(configuration);
  const unread = new Set<string>();
  const texts = [...(await resolved(values, unread)), ...(await resolved(addresses, unread)).flatMap(passwordsIn)];
  const contents = await Promise.all(secretFiles(configuration).map((file) => digestOf(file, unread)));
  return {
    values: [...new Set(texts.map((text) => text.trim()))].filter(isOneWord),
    contents: contents.filter((digest) => digest !== undefined),
    unread: [...unread].sort(),
  };
}

async function resolved(references: readonly Reference[], unread: Set<string>): Promise<string[]> {
  const texts: string[] = [];
  for (const reference of references) {
    try {
      texts.push(await resolveSecret(reference));
    } catch (error) {
      if (!isHoldfastError(error, 'SECRET_UNRESOLVED')) throw error;
      // A variable is what it was when the process began: one that is empty comes from nowhere.
      const isFile = reference.startsWith(FILE);
      if (isFile && !isNotThere(error.cause)) unread.add(reference.slice(FILE.length));
    }
  }
  return texts;
}

function isNotThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** What is of many lines, or no text, is known as a file. */
function isOneWord(text: string): boolean {
  return text.length >= SHORTEST && !/[\n\ufffd]/.test(text);
}

/** Of an address, or of words of libpq: as it is written, and as it is meant. */
export function passwordsIn(address: string): readonly string[] {
  const inAddress = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*?:(?<password>[^/?#]*)@/i.exec(address)?.groups?.password;
  const named = /\bpassword\s*=\s*(?:'(?<quoted>(?:[^'\\]|\\.)*)'|(?<plain>[^\s&'][^\s&]*))/.exec(address)?.groups;
  const quoted = named?.quoted?.replaceAll(/\\(.)/g, '$1');
  return [inAddress, named?.plain, quoted].flatMap((text) => (text === undefined ? [] : [text, decoded(text)]));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Undefined for one that this host does not have, and for one that is not known. An empty one may be about to be written. */
async function digestOf(file: string, unread: Set<string>): Promise<string | undefined> {
  const bytes = await readFile(file).catch((error: unknown) => {
    if (!isNotThere(error)) unread.add(file);
    return undefined;
  });
  if (bytes?.length === 0) unread.add(file);
  return bytes === undefined || bytes.length === 0 ? undefined : createHash('sha256').update(bytes).digest('hex');
}
