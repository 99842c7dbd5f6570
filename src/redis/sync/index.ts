// An RDB from a running server, over its connection.

export {
  requireSynchronising,
  type Synchronisation,
  type SynchroniseOptions,
  synchronise,
} from './replication-stream.ts';
