// What every bench can be told on its command line, and how a mistake there is answered.

import os from 'node:os';
import path from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { fail } from '../../src/errors/index.ts';

export interface CommonOptions {
  readonly seed: string;
  readonly scale: number;
  readonly rounds: number;
  readonly contenders: readonly string[];
  /** Directory on the disk to measure; what is made in it is removed at the end. */
  readonly work: string;
  readonly results: string;
  readonly say: (text: string) => void;
}

const text = { type: 'string' } as const;
/** For `parseArgs`; every bench takes them. */
const commonOptions = { rounds: text, scale: text, seed: text, contenders: text, work: text, results: text };
export type Values = Readonly<Record<string, string | boolean | undefined>>;

export const commonUsage = `  --work DIR         where to work, on the disk to be measured; default the temporary directory
  --results DIR      where the report goes; default bench/results`;

/** `own`: what this bench takes beside the common ones. Throws `USAGE`. */
export function parseValues(
  args: readonly string[],
  own: NonNullable<ParseArgsConfig['options']>,
  usage: string,
): Values {
  try {
    return parseArgs({ args: [...args], options: { ...commonOptions, ...own } }).values as Values;
  } catch (cause) {
    return fail('USAGE', cause instanceof Error ? cause.message : String(cause), { hint: usage, cause });
  }
}

export function commonOf(
  values: Values,
  usage: string,
  defaults: { readonly contenders: string; readonly rounds: number },
): CommonOptions {
  return {
    seed: String(values.seed ?? '1'),
    scale: positive('scale', values.scale ?? '1', usage),
    rounds: whole('rounds', values.rounds ?? String(defaults.rounds), usage),
    contenders: String(values.contenders ?? defaults.contenders).split(','),
    work: path.resolve(String(values.work ?? os.tmpdir())),
    results: path.resolve(String(values.results ?? path.join(import.meta.dirname, '..', 'results'))),
    say: (line) => void process.stderr.write(`bench  ${line}\n`),
  };
}

function positive(name: string, value: string | boolean, usage: string): number {
  const number = Number(value);
  if (!(number > 0 && Number.isFinite(number))) {
    fail('USAGE', `'--${name} ${value}' is not a number greater than 0`, { hint: usage });
  }
  return number;
}

export function whole(name: string, value: string | boolean, usage: string): number {
  const number = positive(name, value, usage);
  if (!Number.isInteger(number)) fail('USAGE', `'--${name} ${value}' is not a whole number`, { hint: usage });
  return number;
}
