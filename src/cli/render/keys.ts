// The ways to open the vault, and what a test of them said, as people read them.

import type { KeyStatus, KeyTest } from '../../domain/key-report.ts';
import type { Moment } from '../../domain/moment.ts';
import type { Result } from '../result.ts';
import { localTime, table } from './words.ts';

export function keyLines({ keys = [], readerSha256 }: Result, zone: string): string[] {
  const head = ['key', 'kind', `created (${zone})`, 'opens here', 'copies', ''];
  const rows = keys.map((key) => [
    key.key,
    key.kind ?? '?',
    key.created === undefined ? '' : localTime(`${key.created.slice(0, 19)}.000000Z` as Moment, zone),
    key.opens ? 'yes' : 'NO',
    placesText(key),
    stateText(key),
  ]);
  const errors = keys.flatMap(({ key, error, state }) =>
    error === undefined || state === 'removed'
      ? []
      : [`${key}: ${error.message} (${error.code})`, `    hint: ${error.hint}`],
  );
  const reader =
    readerSha256 === undefined
      ? []
      : [`rescue.mjs on every copy reads it without holdfast; for your papers, its SHA-256: ${readerSha256}`];
  return [...table([head, ...rows]), ...errors, ...reader];
}

function placesText({ copies, state }: KeyStatus): string {
  if (state === 'missing') return '';
  return Object.entries(copies)
    .map(([copy, place]) => (place === 'present' ? copy : `${copy}(${place})`))
    .join(' ');
}

function stateText({ key, state, copies }: KeyStatus): string {
  if (state === 'missing') return `NO SLOT: run 'holdfast keys add ${key}'`;
  if (state === 'live') return '';
  const left = Object.keys(copies).filter((copy) => copies[copy] === 'present' || copies[copy] === 'damaged');
  return `removed, and left on ${left.join(', ')}: run 'holdfast copies catch-up ${left[0]}'`;
}

export function keyTestLines({ keyTests = [] }: Result): string[] {
  return keyTests.flatMap((test: KeyTest) => [
    `${test.ok ? '✔' : '✖'} ${test.key}${test.copy === undefined ? '' : ` on ${test.copy}`}: ${test.ok ? 'opens the vault' : `${test.error?.message} (${test.error?.code})`}`,
    ...(test.error === undefined ? [] : [`    hint: ${test.error.hint}`]),
  ]);
}
