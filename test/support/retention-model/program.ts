// A process that plays sequences: SEED FIRST LAST STRIDE [MUTANT]; prints how many it played, or the first failure and ends with 1.

import { mutants, plant } from './mutants.ts';

const [seed = 0, first = 0, last = 0, stride = 1] = process.argv.slice(2, 6).map(Number);
const mutant = process.argv[6];

if (mutant !== undefined && mutants[mutant]) plant(mutants[mutant]);
// Not before: what is planted is planted while the code is loaded.
const { playSequence } = await import('./sequence.ts');
const { greedy } = await import('./greedy-store.ts');
const spoil = mutant === 'has a store that deletes more than it was told' ? greedy : undefined;
let played = 0;
let isStopped = false;
// The sequence that is under way ends first, so that nothing of it is left behind.
process.once('SIGTERM', () => {
  isStopped = true;
});
for (let sequence = first; sequence < last && !isStopped; sequence += stride) {
  try {
    await playSequence({ seed, sequence, ...(spoil && { spoil }) });
  } catch (error) {
    process.stdout.write(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
  played++;
}
process.stdout.write(String(played));
process.exit(0);
