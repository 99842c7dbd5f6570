// Refusing a store that does not give what the configuration asks of it.

import { fail } from '../errors/index.ts';
import type { Guarantee } from './store.ts';

/** Throws `STORE_UNFIT` with the store, the setting and what came back. */
export function requireHeld(location: string, guarantees: readonly Guarantee[]): void {
  for (const { setting, asked, got, isHeld } of guarantees) {
    if (isHeld) continue;
    fail('STORE_UNFIT', `${location} was asked for '${setting}: ${asked}' and gave '${got}'`, {
      hint: `use a store that gives it, or change '${setting}' of the copy`,
      details: { setting, asked, got },
    });
  }
}
