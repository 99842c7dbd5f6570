// What a run was asked for, as a list of phrases in one text: programs compare the text, people read the phrases.

import type { TableName } from '../../src/domain/part.ts';

/** A list, because a phrase may hold anything that joins two of them in a sentence: a comma is part of many a path. */
export function asText(phrases: readonly (string | false | undefined)[]): string {
  return JSON.stringify(phrases.filter((phrase) => typeof phrase === 'string'));
}

/** A text that is no list is one phrase. */
export function phrasesOf(text: string): readonly string[] {
  if (!text.startsWith('[')) return [text];
  const list = JSON.parse(text) as readonly unknown[];
  // Until no run of a version that noted values by their position can be open, what is no text is left out.
  return list.filter((each) => typeof each === 'string');
}

/** `word value`, where there is a value. */
export function named(word: string, value: string | number | undefined): string | false {
  return value !== undefined && `${word} ${value}`;
}

/** Quoted where the dot could be taken for one of the name's own. */
export function tableText({ schema, table }: TableName): string {
  return [schema, table].map((name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : JSON.stringify(name))).join('.');
}
