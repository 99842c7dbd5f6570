// What a Redis server, or the way to it, says no with, as errors that a person can act on.

import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { ServerReply } from './reply.ts';

/** Any failure of a connection as the error to throw. `doing`: what was tried, as the end of a sentence. */
export function redisError(error: unknown, where: string, doing: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  if (error instanceof ServerReply) return refusal(error, where, doing);
  const { message } = error as Error;
  return new HoldfastError('REDIS_UNREACHABLE', `'${where}' cannot be reached to ${doing}: ${message}`, {
    cause: error,
  });
}

function refusal(reply: ServerReply, where: string, doing: string): HoldfastError {
  const text = reply.message;
  const said = `'${where}' refuses to ${doing}: ${text}`;
  const cause = reply;
  switch (text.split(' ', 1)[0]) {
    case 'WRONGPASS':
      return new HoldfastError('REDIS_AUTH', said, { cause });
    case 'NOAUTH':
      return new HoldfastError('REDIS_AUTH', said, {
        cause,
        hint: 'the server wants a password: put user and password into the url',
      });
    case 'NOPERM':
      return new HoldfastError('REDIS_PRIVILEGE', said, { cause, hint: permitting(text) });
    case 'NOMASTERLINK':
      return new HoldfastError('REDIS_UNREACHABLE', said, {
        cause,
        hint: 'this replica has lost its primary, so what it holds may be old: mend that, or give the address of the primary',
      });
    case 'LOADING':
      return new HoldfastError('REDIS_UNREACHABLE', said, { cause, hint: 'it reads its data still: try again later' });
    case 'OOM':
    case 'MISCONF':
    case 'READONLY':
      return new HoldfastError('REDIS_UNFIT', said, { cause });
    default:
      return unnamed(reply, said);
  }
}

/** Older servers refuse a password without a word of their own in front. */
function unnamed(reply: ServerReply, said: string): HoldfastError {
  if (/invalid password|AUTH .*called without any password/i.test(reply.message)) {
    return new HoldfastError('REDIS_AUTH', said, { cause: reply });
  }
  if (/max number of clients/i.test(reply.message))
    return new HoldfastError('REDIS_UNREACHABLE', said, { cause: reply });
  return new HoldfastError('REDIS_UNFIT', said, { cause: reply });
}

function permitting(text: string): string {
  const [, command] = /'([a-z|-]+)' command/i.exec(text) ?? [];
  if (command === undefined) return 'docs/redis.md tells the least that our user needs';
  return `permit it: ACL SETUSER USER +${command}; docs/redis.md tells the least that our user needs`;
}
