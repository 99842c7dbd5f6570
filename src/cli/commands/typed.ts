// Pieces that the commands' own input checks are made of.

import { z } from 'zod';
import { durationExpected, parseDuration } from '../../domain/duration.ts';
import { parseSize, sizeExpected } from '../../domain/size.ts';

/** A component that must be named. */
export const oneComponent = z.array(z.string()).min(1, { error: "name a component, such as 'database/main'" });
/** Nothing stands for all of them. */
export const anyComponent = z.array(z.string());
export const oneRun = z
  .array(z.string())
  .min(1, { error: "name a run, such as 'restore-3f9a1c2b', or a component, which stands for its latest run" });
export const noArguments = z.array(z.string()).max(0, { error: 'this command takes no arguments' });

/** Seconds from a duration as written in the configuration. */
export const durationOption = readBy(parseDuration, durationExpected);
/** Bytes from a size as written in the configuration. */
export const sizeOption = readBy(parseSize, sizeExpected);

/** Whose refusal names the option, as that of every other value does. */
function readBy<Value>(read: (text: string) => Value, expected: string) {
  return z.string().transform((text, context) => {
    try {
      return read(text);
    } catch {
      context.addIssue({ code: 'custom', message: `expected ${expected}, got '${text}'` });
      return z.NEVER;
    }
  });
}

export const COMPONENT_HELP =
  "COMPONENT is kind and name, 'database/main' or 'database main', or the kind alone where there is one of it.";
export const RUN_HELP =
  'RUN is the id of a run, or a component, which stands for its latest run of the kind in question.';
