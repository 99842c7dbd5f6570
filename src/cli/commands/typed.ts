// Pieces that the commands' own input checks are made of.

import { z } from 'zod';
import { durationExpected, parseDuration } from '../../domain/duration.ts';

/** A component that must be named. */
export const oneComponent = z.array(z.string()).min(1, { error: "name a component, such as 'database/main'" });
/** Nothing stands for all of them. */
export const anyComponent = z.array(z.string());
export const oneRun = z
  .array(z.string())
  .min(1, { error: "name a run, such as 'restore-3f9a1c2b', or a component, which stands for its latest run" });
export const noArguments = z.array(z.string()).max(0, { error: 'this command takes no arguments' });

/** Seconds from a duration as written in the configuration. */
export const durationOption = z.string().transform((text, context) => {
  try {
    return parseDuration(text);
  } catch {
    context.addIssue({ code: 'custom', message: `expected ${durationExpected}, got '${text}'` });
    return z.NEVER;
  }
});

export const COMPONENT_HELP =
  "COMPONENT is kind and name, 'database/main' or 'database main', or the kind alone where there is one of it.";
export const RUN_HELP =
  'RUN is the id of a run, or a component, which stands for its latest run of the kind in question.';
