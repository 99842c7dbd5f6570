// The order in which ways of taking a base backup are tried, and what each reason rules out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attempt, attemptsFor, Obstacles } from '../../../../src/postgres/backup/attempts.ts';
import { BecomesFull } from '../../../../src/postgres/backup/becomes-full.ts';
import { BecomesPrimary } from '../../../../src/postgres/backup/becomes-primary.ts';
import { BecomesStream } from '../../../../src/postgres/backup/becomes-stream.ts';

const words = ({ server, capture, way }: Attempt) => `${server} ${capture} ${way}`;

/** Every attempt meets what is said of it; the last one that meets nothing, with its reasons. */
function play(asked: Parameters<typeof attemptsFor>[0], meets: Record<string, Error>) {
  const obstacles = new Obstacles();
  const tried: string[] = [];
  for (const attempt of attemptsFor(asked)) {
    if (obstacles.ruleOut(attempt)) continue;
    tried.push(words(attempt));
    const met = meets[words(attempt)];
    if (met === undefined) return { tried, reasons: obstacles.reasons(attempt) };
    obstacles.note(attempt, met as BecomesFull);
  }
  return { tried, reasons: undefined };
}

const all = { incremental: true, hasStandby: true, files: true };

test('the first way that can be is taken, and has no reasons', () => {
  assert.deepEqual(attemptsFor(all).map(words), [
    'standby incremental stream',
    'primary incremental stream',
    'standby full stream',
    'primary full files',
    'primary full stream',
  ]);
  assert.deepEqual(attemptsFor({ incremental: false, hasStandby: false, files: false }).map(words), [
    'primary full stream',
  ]);
  assert.deepEqual(play(all, {}), { tried: ['standby incremental stream'], reasons: {} });
});

test('a standby that is not fit is asked once, and never again by this run', () => {
  const away = { 'standby incremental stream': new BecomesPrimary('it is away') };
  assert.deepEqual(play(all, away), {
    tried: ['standby incremental stream', 'primary incremental stream'],
    reasons: { primaryBecause: 'it is away' },
  });
  const { tried, reasons } = play(all, {
    ...away,
    'primary incremental stream': new BecomesFull('no parent'),
    'primary full files': new BecomesStream('they are elsewhere'),
  });
  assert.deepEqual(tried.slice(2), ['primary full files', 'primary full stream']);
  assert.deepEqual(reasons, {
    primaryBecause: 'it is away',
    fullBecause: 'no parent',
    streamBecause: 'they are elsewhere',
  });
});

test('what changed is asked of both before either sends everything', () => {
  const off = { 'standby incremental stream': new BecomesFull('no summaries there') };
  assert.deepEqual(play(all, off).reasons, { primaryBecause: 'no summaries there' });
  const both = { ...off, 'primary incremental stream': new BecomesFull('none here') };
  assert.deepEqual(play(all, both), {
    tried: ['standby incremental stream', 'primary incremental stream', 'standby full stream'],
    reasons: { fullBecause: 'none here' },
  });
  const promoted = { ...both, 'standby full stream': new BecomesPrimary('it was promoted') };
  assert.deepEqual(play(all, promoted).reasons, { primaryBecause: 'it was promoted', fullBecause: 'none here' });
});
