// Fault sweep over changes of key slots: at every store call a fault or a death; the vault always opens, and a second run converges.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { tryRun } from '../../src/process/index.ts';
import { type FaultKind, FaultPlan, FaultyStore } from '../support/faulty-store.ts';
import { type KeyChangeCase, keyChanges, requireOpens, requireSettled } from '../support/key-changes.ts';
import { testVault } from '../support/vault.ts';

/** `small` visits every third point, for the ordinary run; `full` all of them. A process of its own for each death costs more. */
const isFull = process.env.HOLDFAST_SWEEP === 'full';
const STRIDE = isFull ? 1 : 5;
const KILL_STRIDE = isFull ? 2 : 23;
const KINDS: readonly FaultKind[] = ['refused', 'answer lost', 'dies before', 'dies after'];
const setup = { copies: ['local', 'eu'], policy: { copies: 1, offsite: 0 } };

async function oldKeyOpensNothing(test: Awaited<ReturnType<typeof testVault>>, old: string): Promise<void> {
  const file = join(test.directory, 'kept-by-a-thief.key');
  await writeFile(file, old, { mode: 0o600 });
  const keys = [{ name: 'host', kind: 'file', path: file } as const];
  for (const copy of test.options.copies) {
    await assert.rejects(test.reopen({ keys, copies: [copy] }), { code: 'VAULT_KEY_WRONG' });
  }
}

/** One point: fail at call `point`, look, run again without faults, look. Gives whether the point was reached. */
async function visit(change: KeyChangeCase, point: number, kind: FaultKind): Promise<boolean> {
  const plan = new FaultPlan();
  await using test = await testVault({ ...setup, wrap: (store) => new FaultyStore(store, plan) });
  const { options, keyFile } = test;
  await change.prepare(test.vault, keyFile);
  const before = await readFile(keyFile, 'utf8');
  const vault = await test.reopen();
  plan.set(point, kind);
  const error = await change.change(vault, keyFile).then(
    () => undefined,
    (reason: Error) => reason,
  );
  const { failed } = plan;
  plan.set(undefined);
  try {
    await requireOpens(options, keyFile);
    await change.change(await test.reopen(), keyFile);
    await requireOpens(options, keyFile);
    await requireSettled(change, options, keyFile, test.path);
    if (change === keyChanges.rotate) await oldKeyOpensNothing(test, before);
  } catch (cause) {
    throw new Error(`after call ${point}, ${failed}, ended ${error ? `with ${error.message}` : 'well'}`, { cause });
  }
  return failed !== undefined;
}

describe('fault sweep of key slots', () => {
  for (const change of Object.values(keyChanges)) {
    it(`${change.title}: the vault opens after a fault or death at any store call, and a second run converges`, async (t) => {
      let visited = 0;
      for (const [offset, kind] of KINDS.entries()) {
        const first = isFull ? 1 : 1 + offset;
        for (let point = first; await visit(change, point, kind); point += STRIDE) visited++;
      }
      t.diagnostic(`${visited} points visited`);
      assert.ok(visited > 40 / STRIDE);
    });
  }
});

/** The same with a process that is killed by the system at the call, before or after it took effect. */
async function kill(name: string, change: KeyChangeCase, point: number, when: string): Promise<boolean> {
  await using test = await testVault(setup);
  const { options, keyFile, directory } = test;
  await change.prepare(test.vault, keyFile);
  const program = join(import.meta.dirname, '../support/change-keys-and-die.ts');
  const args = [program, directory, name, String(point), when];
  const { signal, exitCode, stderrTail } = await tryRun(process.execPath, args, { deadlineMs: 600_000 });
  assert.ok(signal === 'SIGKILL' || exitCode === 0, `${exitCode} ${signal}: ${stderrTail}`);
  try {
    await requireOpens(options, keyFile);
    await change.change(await test.reopen(), keyFile);
    await requireSettled(change, options, keyFile, test.path);
  } catch (cause) {
    throw new Error(`after a kill ${when} call ${point}`, { cause });
  }
  return signal === 'SIGKILL';
}

describe('kill sweep of key slots', () => {
  for (const [name, change] of Object.entries(keyChanges)) {
    it(`${change.title}: the vault opens after SIGKILL at any store call, and a second run converges`, async (t) => {
      let visited = 0;
      for (const when of ['before', 'after']) {
        for (let point = when === 'before' ? 7 : 13; await kill(name, change, point, when); point += KILL_STRIDE)
          visited++;
      }
      t.diagnostic(`${visited} kills`);
      assert.ok(visited >= 2);
    });
  }
});
