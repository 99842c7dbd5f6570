// The kinds of values that a configuration is made of, each with the end of the sentence that begins with "expected".

import { z } from 'zod';
import { bandwidthExpected, parseBandwidth } from '../../src/domain/bandwidth.ts';
import { NAME_PATTERN } from '../../src/domain/component.ts';
import { durationExpected, parseDuration } from '../../src/domain/duration.ts';
import { parseSchedule, scheduleExpected } from '../../src/domain/schedule.ts';
import { parseSize, sizeExpected } from '../../src/domain/size.ts';
import { referenceProblem } from '../references.ts';

// Every message is the end of a sentence that begins with "expected": the loader puts place and value before it.

const nameExpected = 'a name of small letters, digits and hyphens, beginning with a letter or digit, at most 63 long';
export const name = () => z.string({ error: nameExpected }).regex(NAME_PATTERN, { error: nameExpected });

export function text(expected: string) {
  return z.string({ error: expected }).min(1, { error: expected });
}

export function count(expected: string, minimum: number) {
  return z.int({ error: expected }).min(minimum, { error: expected });
}

/** Text that `parse` must accept; the value stays as written. */
export function parsed(expected: string, parse: (value: string) => unknown) {
  return z.string({ error: expected }).refine((value) => succeeds(() => parse(value)), { error: expected });
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

export const duration = () => parsed(durationExpected, parseDuration).meta({ type: 'duration' });
export const schedule = () => parsed(scheduleExpected, parseSchedule).meta({ type: 'schedule' });
export const size = () => parsed(sizeExpected, parseSize).meta({ type: 'size' });
export const rate = () => parsed(bandwidthExpected, parseBandwidth).meta({ type: 'bandwidth' });
export const filePath = () => text('a path');

/** `secret: true` keeps the loader from ever repeating the value. */
export const secret = () =>
  z
    .string({ error: 'a reference, env:NAME or file:/path' })
    .superRefine((value, context) => {
      const problem = referenceProblem(value);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, params: { secret: true } });
    })
    .meta({ type: 'reference' });

export function mapping<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : `a mapping with ${listOf(Object.keys(shape))}`),
  });
}

function listOf(keys: readonly string[]): string {
  return keys.map((key) => `'${key}'`).join(', ');
}

export function named<Value extends z.ZodType>(value: Value, what: string) {
  return z
    .record(name(), value, { error: `a mapping from names to ${what}` })
    .refine((record) => Object.keys(record).length > 0, { error: `at least one of ${what}` });
}

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: `one of ${values.map((value) => `'${value}'`).join(', ')}` });
}

export const flag = () => z.boolean({ error: 'true or false' });
export const url = (expected: string) =>
  parsed(expected, (value) => {
    if (!/^https?:$/.test(new URL(value).protocol)) throw new TypeError('not http');
  });
