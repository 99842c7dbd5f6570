// One table of another moment, as the activities use it.

export { type CarryRequest, dropPassing, type Extracted, extractApart, loadApart } from './carry-table.ts';
export { fitColumns } from './fit-columns.ts';
export { giveName, type NameRequest, namedBefore } from './give-name.ts';
export { lookAtPart, type PartFacts, type PartRequest } from './plan-part.ts';
export { requireRoom, sizeOfApart } from './plan-room.ts';
export { replacedBefore, replaceRows } from './replace-rows.ts';
export { type ClusterSeen, comparing, onProduction, untilKnown } from './sessions.ts';
export { setApart } from './set-apart.ts';
export { lookAtTable } from './table-facts.ts';
export { keptTable, plainName } from './table-names.ts';
export { undoDatabase, undoTable } from './undo-part.ts';
export { extractDatabase, loadDatabase, nameLoaded } from './whole-database.ts';
