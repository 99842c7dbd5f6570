// What the configuration asks to be noted of each database with a backup, as the engine takes it.

import type { DatabaseSettings } from '../../config/index.ts';
import type { FactsChoice } from '../../src/postgres/facts/index.ts';

export function factsChoice({ facts }: DatabaseSettings): FactsChoice {
  return { maximum: facts.maximum, withinMs: facts.withinSeconds * 1000 };
}
