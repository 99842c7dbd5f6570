// Secrets that Holdfast's own configuration refers to, as far as this host has them: no text of a configuration may show them.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Configuration, resolveSecret, secretFiles, secretReferences } from '../../config/index.ts';
import type { OwnSecrets } from '../configuration/index.ts';
import { isHoldfastError } from '../errors/index.ts';

type Reference = Parameters<typeof resolveSecret>[0];

/** Shorter ones stand in other words. */
const SHORTEST = 6;

/** What other hosts have is not missed here. */
export async function ownSecrets(configuration: Configuration): Promise<OwnSecrets> {
  const { addresses, values } = secretReferences(configuration);
  const texts = [...(await resolved(values)), ...(await resolved(addresses)).flatMap(passwordsIn)];
  const contents = await Promise.all(secretFiles(configuration).map(digestOf));
  return {
    values: [...new Set(texts.map((text) => text.trim()))].filter(isOneWord),
    contents: contents.filter((digest) => digest !== undefined),
  };
}

async function resolved(references: readonly Reference[]): Promise<string[]> {
  const texts: string[] = [];
  for (const reference of references) {
    const text = await resolveSecret(reference).catch((error: unknown) => {
      if (isHoldfastError(error, 'SECRET_UNRESOLVED')) return undefined;
      throw error;
    });
    if (text !== undefined) texts.push(text);
  }
  return texts;
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

/** Undefined for one that this host does not have. */
async function digestOf(file: string): Promise<string | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes === undefined || bytes.length === 0 ? undefined : createHash('sha256').update(bytes).digest('hex');
}
