// The write-ahead log as bytes: walking it, describing it, proving one record of it.

export { crc32c } from './crc32c.ts';
export { createLogIndex, type DescribeLogRequest, describeLog, type LogFacts, type LogIndex } from './log-index.ts';
export type { TransactionEnd, WalEvent } from './record-data.ts';
export { type LogRun, verifyRecord } from './verify-record.ts';
export { createWalWalker, type WalWalker, type WalWalkerOptions } from './walker.ts';
