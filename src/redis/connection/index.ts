// Talking to Redis servers, as the rest of the engine uses it.

export { parseAddress, type RedisAddress } from './address.ts';
export { encodeCommand, type OpenOptions, RedisConnection, type RedisSource, type Word } from './connection.ts';
export { redisError } from './errors.ts';
export { type Reply, ServerReply } from './reply.ts';
