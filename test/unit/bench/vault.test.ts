// The vault's bench: its driver does what its peers do, its goals are marked when missed, and wrong options are refused.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { planCorpus } from '../../../bench/corpus/plan.ts';
import { changeCorpus, writeCorpus } from '../../../bench/corpus/write.ts';
import type { WorkResult } from '../../../bench/lib/taken.ts';
import { requireSameTree, sizeOfTree } from '../../../bench/lib/trees.ts';
import { judge } from '../../../bench/vault/goals.ts';
import { backup } from '../../../bench/vault/holdfast/backup.ts';
import { check } from '../../../bench/vault/holdfast/check.ts';
import { init } from '../../../bench/vault/holdfast/init.ts';
import { restore } from '../../../bench/vault/holdfast/restore.ts';
import { parseOptions } from '../../../bench/vault/options.ts';
import { renderVault } from '../../../bench/vault/report.ts';
import type { ContenderResult, VaultResult } from '../../../bench/vault/result.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

describe('the driver of the vault', () => {
  test('backs up, backs up changes alone, and restores the last state', async (t) => {
    const { places, plan } = await prepared(t);
    await backup(places);
    const first = await sizeOfTree(places.copy);
    changeCorpus(plan, places.source);
    await backup(places);
    assert.ok((await sizeOfTree(places.copy)) < first * 1.2);
    await restore(places);
    await requireSameTree(places.source, places.target);
    await check(places);
  });

  test('finds a byte that was changed in a pack', async (t) => {
    const { places } = await prepared(t);
    await backup(places);
    const names = await readdir(places.copy, { recursive: true });
    const sizes = await Promise.all(
      names.map(async (name) => ({ name, info: await stat(path.join(places.copy, name)) })),
    );
    const [largest] = sizes.filter(({ info }) => info.isFile()).sort((a, b) => b.info.size - a.info.size);
    const pack = await open(path.join(places.copy, largest?.name as string), 'r+');
    await pack.write(Buffer.from('damaged'), 0, 7, 100_000);
    await pack.close();
    await assert.rejects(check(places), { code: 'CHECK_FAILED', message: /the copy is damaged: .*packs/ });
  });
});

async function prepared(t: Parameters<typeof temporaryDirectory>[0]) {
  const directory = await temporaryDirectory(t);
  const of = (name: string) => path.join(directory, name);
  const places = { copy: of('copy'), key: of('home/key'), source: of('source'), target: of('target') };
  mkdirSync(places.copy);
  mkdirSync(places.target);
  const plan = planCorpus('1', 0.001);
  writeCorpus(plan, places.source);
  await init(places);
  return { places, plan };
}

describe('the report', () => {
  test('marks each goal that is missed, and no other', () => {
    const page = renderVault(
      result(contender('holdfast', 2, 600), contender('restic', 3, 100), contender('borg', 4, 100)),
    );
    assert.match(page, /\| first backup: wall time, to restic \| 0\.67 × \| ≤ 0\.6 × \| \*\*NOT MET\*\* \|/);
    assert.match(page, /\| first backup: wall time, to borg \| 0\.50 × \| ≤ 1 × \| met \|/);
    assert.match(
      page,
      /\| {2}\| full restore \|\n\|---\|--:\|\n\| cores busy, of 2 \| [\d.]+ \|\n\| SHA-256 \| 25 % \|/,
    );
    assert.match(page, /\| full restore: peak memory \| 600 MiB \| ≤ 512 MiB \| \*\*NOT MET\*\* \|/);
    assert.match(page, /\| restic \| 3\.00 \(3\.00–3\.00\) \| 2\.0 \(1\.0\) \| 105 \| 100\.0 \| 0\.67 × \|/);
  });

  test('says when the machine was not quiet', () => {
    const quiet = result(contender('holdfast', 2, 1));
    assert.match(renderVault(quiet), /A quiet run: others used at most 1 %/);
    assert.match(renderVault({ ...quiet, isNoisy: true }), /\*\*Not a quiet run\*\*/);
  });

  test('judges no time without a peer to compare with', () => {
    assert.ok(judge(result(contender('holdfast', 2, 1))).every((verdict) => verdict.unit === 'MiB'));
  });
});

function contender(name: string, wallS: number, mebibytes: number): ContenderResult {
  const peakRssBytes = mebibytes * 2 ** 20;
  const summary = {
    rounds: 1,
    wallS,
    wallSpreadS: [wallS, wallS],
    cpuS: 2,
    userS: 1,
    besideS: 0,
    peakRssBytes,
    foreignShare: 0.01,
    setAside: 0,
  };
  const work = { command: name, summary, storedBytes: 100_000_000, measurements: [] } as unknown as WorkResult;
  const works = { first: work, unchanged: work, changed: work, restore: work, check: work };
  return { name, version: '1', options: 'none', works, syncs: 3 };
}

function result(...contenders: ContenderResult[]): VaultResult {
  const machine = { cores: 2, processor: 'p', memoryBytes: 8e9, kernel: 'k', node: 'v24' };
  const corpus = { seed: '1', scale: 1, files: 40_000, sizeBytes: 2e9 };
  const at = '2026-11-25T07:00:00.000Z';
  const restore = { cpuS: 10, parts: [{ name: 'SHA-256', share: 0.25 }] };
  const profiles = contenders.some(({ name }) => name === 'holdfast') ? { restore } : {};
  return { bench: 'vault', at, commit: 'abc', machine, corpus, rounds: 1, isNoisy: false, contenders, profiles };
}

describe('the options of the bench', () => {
  test('have defaults', () => {
    const { scale, rounds, contenders, growth } = parseOptions([]);
    const expected = { scale: 1, rounds: 3, contenders: ['holdfast', 'restic', 'borg', 'tar'], growth: false };
    assert.deepEqual({ scale, rounds, contenders, growth }, expected);
  });

  for (const args of [['--rounds', '0'], ['--rounds', '1.5'], ['--scale', 'big'], ['--quick'], ['more']]) {
    test(`refuse '${args.join(' ')}'`, () => {
      assert.throws(() => parseOptions(args), { code: 'USAGE' });
    });
  }
});
