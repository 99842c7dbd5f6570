// Progress of a run where stderr is no terminal: a line for each change, and for each reason why something is tried again.

import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { Io } from '../../../src/cli/io.ts';
import { makeProgress } from '../../../src/cli/render/progress.ts';
import type { RunStatus, StepStatus } from '../../../src/domain/operations.ts';

/** A step each `apartMs` after the one before. */
function shown(apartMs: number, ...steps: StepStatus[]): string[] {
  const lines: string[] = [];
  const stderr = new Writable({
    write: (chunk: Buffer, _, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  let now = 0;
  const progress = makeProgress({ stderr, stderrIsTerminal: false } as unknown as Io, () => now);
  for (const step of steps) {
    progress.show({ message: 'step 1: capture', steps: [step] } as unknown as RunStatus);
    now += apartMs;
  }
  progress.end();
  return lines;
}

const running = (attempt?: number, because = ''): StepStatus => ({
  name: 'capture',
  state: 'running',
  note: `${attempt} MB`,
  ...(attempt !== undefined && { retries: [{ attempt, because }] }),
});

test('why a step is tried again is said once, however many attempts fail by it, and anew for another reason', () => {
  const lines = shown(
    1_000,
    running(),
    running(2, "copy 'eu' does not answer"),
    running(3, "copy 'eu' does not answer"),
    running(4, 'the disk is full'),
    running(5, "copy 'eu' does not answer"),
  );
  assert.deepEqual(lines, [
    '  … step 1: capture\n',
    "  … capture  attempt 2 after: copy 'eu' does not answer\n",
    '  … capture  attempt 4 after: the disk is full\n',
  ]);
});

test('a step that goes well at once has nothing of it', () => {
  assert.deepEqual(shown(1_000, running(), running()), ['  … step 1: capture\n']);
});

test('a step that says nothing new is told once a minute', () => {
  const lines = shown(25_000, running(2, 'away'), ...[3, 4, 5, 6].map((attempt) => running(attempt, 'away')));
  assert.deepEqual(lines, ['  … step 1: capture\n', '  … capture  attempt 2 after: away\n', '  … capture  5 MB\n']);
});
