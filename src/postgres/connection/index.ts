// Connections to the source as the rest of the engine uses them.

export { alterRole, databaseError, type ErrorContext, quoteIdentifier } from './database-error.ts';
export {
  type ConnectionDeadlines,
  openPlain,
  openReplication,
  type PlainConnection,
  type PlainOptions,
  type ReplicationConnection,
  withPlain,
} from './open.ts';
