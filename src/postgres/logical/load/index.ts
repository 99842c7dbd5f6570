// Loading dumps as the activities use it.

export { fetchDump, loadDump, makePlannedRoles, removeFetched, requirePlan, undoLoad, undoRoles } from './load-dump.ts';
export { planLoad } from './plan-load.ts';
export { type LoadContext, type LoadRequest, passingName } from './request.ts';
export type { Wanted } from './select-entries.ts';
export { dropDatabase } from './target-database.ts';
