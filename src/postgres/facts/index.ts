// Facts as the rest of the engine uses them.

export { FactsBudget } from './budget.ts';
export { checkColumns } from './check-columns.ts';
export { compareFacts, type FactComparison, type Order, type Restored } from './compare-facts.ts';
export { factsCheck, notCompared } from './facts-check.ts';
export { orderIn } from './order-values.ts';
export { parseFacts } from './parse-facts.ts';
export { type Ask, type ReadFacts, type ReadRequest, readFacts, readInTransaction } from './read-facts.ts';
export { summarizeFacts } from './summarize-facts.ts';
export { chosenIn, takeFacts, withMissing } from './take-facts.ts';
export { type DatabaseFacts, type FactsChoice, noChoice, type SnapshotFacts } from './types.ts';
