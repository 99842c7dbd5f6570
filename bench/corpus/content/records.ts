// Records of a fixed shape, one a line: JSON, CSV, and logs whose time goes on.

import type { Random } from '../random.ts';
import { vocabulary } from '../vocabulary.ts';

const hexadecimal = (random: Random, digits: number) => {
  let text = '';
  while (text.length < digits) text += random.below(0x10000).toString(16).padStart(4, '0');
  return text.slice(0, digits);
};
const start = Date.UTC(2025, 0, 1);
const yearMs = 365 * 86_400_000;
const moment = (timeMs: number) => new Date(timeMs).toISOString();

export function json(random: Random): () => string {
  let id = random.below(1_000_000);
  const word = () => random.pickSkewed(vocabulary);
  return () => {
    id += 1 + random.below(3);
    const name = `${word()}.${word()}`;
    const at = moment(start + random.below(yearMs));
    const tags = Array.from({ length: random.below(4) }, () => `"${word()}"`).join(',');
    return `{"id":${id},"name":"${name}","email":"${name}@${word()}.example","amount":${random.below(1e6) / 100},"created":"${at}","tags":[${tags}],"token":"${hexadecimal(random, 16)}"}\n`;
  };
}

export function csv(random: Random): () => string {
  let id = random.below(1_000_000);
  return () => {
    id += 1;
    const day = moment(start + random.below(yearMs)).slice(0, 10);
    const numbers = `${random.below(5000)},${(random.next() * 900).toFixed(2)},${(random.normal() * 40).toFixed(4)}`;
    return `${id},${day},${random.pickSkewed(vocabulary)},${random.pickSkewed(vocabulary)},${numbers},${random.pick(['open', 'paid', 'sent', 'void'])}\n`;
  };
}

export function log(random: Random): () => string {
  let timeMs = start + random.below(yearMs);
  const loggers = Array.from({ length: 12 }, () => `${random.pick(vocabulary)}.${random.pick(vocabulary)}`);
  const messages = Array.from({ length: 40 }, () =>
    Array.from({ length: 4 + random.below(8) }, () => random.pickSkewed(vocabulary)).join(' '),
  );
  return () => {
    timeMs += random.below(900);
    const level = random.next() < 0.06 ? 'WARN ' : 'INFO ';
    const address = `10.${random.below(4)}.${random.below(256)}.${random.below(256)}`;
    const request = `request=${hexadecimal(random, 12)} from=${address} took=${random.below(2000)}ms`;
    return `${moment(timeMs)} ${level} [${random.pickSkewed(loggers)}] ${random.pickSkewed(messages)} ${request}\n`;
  };
}
