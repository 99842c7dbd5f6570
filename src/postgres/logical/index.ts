// Logical backups as the activities use them.

export { dumpWarnings, type TakeDumpOptions, takeDump } from './take-dump.ts';
export type { DumpedDatabase, LogicalDetails } from './types.ts';
