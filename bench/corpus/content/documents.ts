// Rows of a table as applications have them: ids, moments, words, and JSON of a fixed shape; a line each, as COPY reads text.

import { Random } from '../random.ts';
import { capitalized, vocabulary } from '../vocabulary.ts';

/** In the order of the lines. */
export const documentColumns =
  'id bigint not null, account uuid not null, created timestamptz not null, kind text not null, title text not null, body text not null, attributes jsonb not null';

const kinds = ['invoice', 'message', 'note', 'order', 'report', 'ticket'];
const states = ['open', 'paid', 'sent', 'void'];
const start = Date.UTC(2025, 0, 1);
/** Of a body, in words: log-normal, so that a few are long. */
const MEDIAN_WORDS = 55;
const SPREAD = 0.7;
const MOST_WORDS = 900;
/** Accounts that write again and again: their ids come back, as foreign keys do. */
const ACCOUNTS = 20_000;

/** Line by line, always the same for a seed. */
export function documents(seed: string): () => string {
  const random = new Random(`documents|${seed}`);
  const accounts = Array.from({ length: ACCOUNTS }, () => uuid(random));
  let id = 0;
  let timeMs = start;
  return () => {
    id += 1;
    timeMs += random.below(40_000);
    const account = random.pickSkewed(accounts);
    const created = new Date(timeMs).toISOString();
    const title = capitalized(words(random, 3 + random.below(6)));
    const size = Math.min(MOST_WORDS, Math.round(MEDIAN_WORDS * Math.exp(random.normal() * SPREAD)));
    const line = [id, account, created, random.pickSkewed(kinds), title, words(random, size + 5), attributes(random)];
    return `${line.join('\t')}\n`;
  };
}

export function words(random: Random, count: number): string {
  let text = random.pickSkewed(vocabulary);
  for (let left = count - 1; left > 0; left--) text += ` ${random.pickSkewed(vocabulary)}`;
  return text;
}

export function attributes(random: Random): string {
  const word = () => random.pickSkewed(vocabulary);
  const tags = Array.from({ length: random.below(4) }, () => `"${word()}"`).join(',');
  const amount = (random.below(1e6) / 100).toFixed(2);
  const place = `"city":"${capitalized(word())}","zip":"${10_000 + random.below(90_000)}"`;
  return `{"state":"${random.pick(states)}","amount":${amount},"currency":"EUR","tags":[${tags}],"token":"${uuid(random)}","address":{${place}},"read":${random.next() < 0.8},"version":${1 + random.below(9)}}`;
}

export function uuid(random: Random): string {
  let text = '';
  while (text.length < 32) text += random.below(0x10000).toString(16).padStart(4, '0');
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}
