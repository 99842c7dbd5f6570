// Loading dumps as the activities use it.

export { fetchDump, loadDump, makePlannedRoles, removeFetched, requirePlan, undoLoad, undoRoles } from './load-dump.ts';
export { planLoad } from './plan-load.ts';
export type { LoadContext, LoadRequest } from './request.ts';
export type { Wanted } from './select-entries.ts';
