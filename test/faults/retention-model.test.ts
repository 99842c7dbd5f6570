// Model checking of retention: seeded random sequences of what happens to a vault, in several processes, against a simple model.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { mutants } from '../support/retention-model/mutants.ts';

/** The small walk is three times as long as the mutant that hides longest needs, and begins elsewhere in every run. */
const SEQUENCES = process.env.HOLDFAST_SWEEP === 'full' ? 20_000 : 500;
/** A mutant that lives longer than this is one that the model does not see. */
const MUTANT_SEQUENCES = 400;
const PROGRAM = join(import.meta.dirname, '../support/retention-model/program.ts');
/** Many small vaults come and go: without room, and with helpers that wait for each other, much of the time goes into collecting them. */
const FLAGS = ['--initial-heap-size=512', '--min-semi-space-size=32', '--single-threaded'];
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill();
});

interface Played {
  readonly played: number;
  /** Of the sequence that was ahead, when one failed. */
  readonly failure: string | undefined;
}

/** All that are asked for, or until the first fails in any of the processes. */
async function play(first: number, last: number, mutant?: string, from = seed): Promise<Played> {
  const stride = Math.min(availableParallelism(), last - first);
  const children = Array.from({ length: stride }, (_, number) => {
    const args = [from, first + number, last, stride].map(String);
    const child = spawn(process.execPath, [...FLAGS, PROGRAM, ...args, ...(mutant === undefined ? [] : [mutant])]);
    running.add(child);
    return child;
  });
  const failures: string[] = [];
  let played = 0;
  await Promise.all(
    children.map(async (child) => {
      let [out, error] = ['', ''];
      child.stdout.on('data', (bytes: Buffer) => {
        out += bytes.toString();
      });
      child.stderr.on('data', (bytes: Buffer) => {
        error += bytes.toString();
      });
      const [code, signal] = await once(child, 'close');
      running.delete(child);
      if (code === 0) played += Number(out);
      else {
        failures.push(code === 1 ? out : `a process ended with ${code ?? signal}: ${error}`);
        for (const each of children) each.kill();
      }
    }),
  );
  return { played, failure: failures[0] };
}

it(`keeps what is needed through any sequence, and in the end nothing else (HOLDFAST_SEED=${seed})`, async (t) => {
  const only = process.env.HOLDFAST_SEQUENCE;
  const [first, last] = only === undefined ? [0, SEQUENCES] : [Number(only), Number(only) + 1];
  const { played, failure } = await play(first, last);
  assert.equal(failure, undefined, failure);
  assert.equal(played, last - first);
  t.diagnostic(`${played} sequences`);
});

describe('the model finds a vault', () => {
  for (const mutant of [...Object.keys(mutants), 'has a store that deletes more than it was told']) {
    it(`that ${mutant}`, async (t) => {
      // Always the same seed, so that what this costs is known.
      const { failure } = await play(0, MUTANT_SEQUENCES, mutant, 1);
      assert.ok(failure, `none of ${MUTANT_SEQUENCES} sequences noticed it`);
      const found = /HOLDFAST_SEQUENCE=(\d+) after:/.exec(failure);
      assert.ok(found, failure);
      t.diagnostic(`found by sequence ${found[1]}`);
    });
  }
});
