// The corpus on disk: written from its plan, changed as a day of work changes a tree, and put back byte for byte.

import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { content } from './content.ts';
import type { CorpusFile, CorpusPlan } from './plan.ts';
import { Random } from './random.ts';

const CHANGED = 0.01;
const PATCH_BYTES = 64;
const APPENDED_BYTES = 200;
/** Later than any file of the plan, and in the past. */
const changedMtime = Date.UTC(2026, 1, 1) / 1000;

/** `folder` is made; what is in it under the same names is overwritten. */
export function writeCorpus(plan: CorpusPlan, folder: string): void {
  for (const directory of new Set(plan.files.map((file) => path.dirname(file.path)))) {
    mkdirSync(path.join(folder, directory), { recursive: true });
  }
  for (const file of plan.files) writeOne(folder, file, original(file), file.mtimeSeconds);
}

/** Every hundredth file with a few other bytes in the middle and some more at its end; a megabyte inserted at the front of the big file. */
export function changeCorpus(plan: CorpusPlan, folder: string): void {
  for (const file of changedFiles(plan)) writeOne(folder, file, changed(file), changedMtime);
  const big = bigFile(plan);
  const inserted = content('csv', `${plan.seed}|inserted`, plan.insertedBytes);
  writeOne(folder, big, Buffer.concat([inserted, original(big)]), changedMtime);
}

/** Undoes `changeCorpus`. */
export function revertCorpus(plan: CorpusPlan, folder: string): void {
  for (const file of [...changedFiles(plan), bigFile(plan)]) writeOne(folder, file, original(file), file.mtimeSeconds);
}

export function changedFiles(plan: CorpusPlan): CorpusFile[] {
  const random = new Random(`${plan.seed}|changes`);
  const small = plan.files.filter((file) => file !== bigFile(plan));
  const count = Math.max(1, Math.round(small.length * CHANGED));
  const chosen = new Set<CorpusFile>();
  while (chosen.size < count) chosen.add(random.pick(small));
  return [...chosen];
}

function bigFile(plan: CorpusPlan): CorpusFile {
  return plan.files[0] as CorpusFile;
}

function original(file: CorpusFile): Buffer {
  return content(file.kind, file.contentSeed, file.sizeBytes);
}

function changed(file: CorpusFile): Buffer {
  const random = new Random(`${file.path}|change`);
  const bytes = original(file);
  random.bytes(PATCH_BYTES).copy(bytes, random.below(bytes.length));
  return Buffer.concat([bytes, content(file.kind, `${file.path}|appended`, APPENDED_BYTES)]);
}

function writeOne(folder: string, file: CorpusFile, bytes: Buffer, mtimeSeconds: number): void {
  const target = path.join(folder, file.path);
  writeFileSync(target, bytes);
  chmodSync(target, file.mode);
  utimesSync(target, mtimeSeconds, mtimeSeconds);
}
