// How a verification ends by what it saw: damage is no success, nor is what nobody could look at.

import { fail } from '../errors/index.ts';
import { type ComponentIntegrity, type CopyIntegrity, isUnasked } from './integrity.ts';
import type { VerificationScope } from './operations.ts';

type Limits = Pick<VerificationScope, 'budgetBytes' | 'timeSeconds'>;
type CopyOf = CopyIntegrity & Pick<ComponentIntegrity, 'component'>;

/**
 * Throws `CHECK_FAILED` with all that is damaged, missing or not known. What a limit of bytes or of time leaves is none of that: whoever sets one asked
 * for no more.
 */
export function requireProven(reports: readonly ComponentIntegrity[], limits: Limits): void {
  const copies = reports.flatMap((report) => report.copies.map((copy) => ({ ...copy, component: report.component })));
  const bad = copies.filter(({ state }) => state === 'damaged' || state === 'missing');
  const unknown = unknownOf(copies, limits);
  const words = [
    ...bad.map(({ component, copy, state }) => `${component} on ${copy} is ${state}`),
    ...unknown.map((copy) => `${copy.component} on ${copy.copy} was not ${howFar(copy)}`),
  ];
  const [first] = bad;
  if (first !== undefined) {
    const found = first.findings[0]?.message;
    fail('CHECK_FAILED', `${words.join(', ')}${found === undefined ? '' : `: ${found}`}`, {
      hint: `\`holdfast copies repair ${first.copy}\` takes good bytes from another copy`,
    });
  }
  if (unknown.length === 0) return;
  const error = unknown.find((copy) => copy.error !== undefined)?.error;
  fail('CHECK_FAILED', `${words.join(', ')}${error === undefined ? '' : `: ${error.message}`}`, {
    ...(error?.hint !== undefined && { hint: error.hint }),
  });
}

/** That nobody knows to be good, though it was asked: those that did not answer, or not for all of it. */
function unknownOf(copies: readonly CopyOf[], { budgetBytes, timeSeconds }: Limits): readonly CopyOf[] {
  const isLimited = budgetBytes !== undefined || timeSeconds !== undefined;
  return copies.filter(({ state, error }) => state === 'not checked' && (error !== undefined || !isLimited));
}

const howFar = (copy: CopyOf) => (isUnasked(copy) ? 'asked' : 'looked at in all of it');
