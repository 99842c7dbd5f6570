// What a Redis server, or the way to it, says no with, as errors that a person can act on.

import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { ServerReply } from './reply.ts';

/** Of a server that ends the connection before it has answered anything. */
export const NO_WORD = 'the server closed the connection without a word';
/** Of one that reads the beginning of TLS as a command, and waits for its end. */
export const NO_TLS = 'it took the connection, and no TLS was heard';

/** Any failure of a connection as the error to throw. `doing`: what was tried, as the end of a sentence. */
export function redisError(error: unknown, where: string, doing: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  if (error instanceof ServerReply) return refusal(error, where, doing);
  const { message } = error as Error;
  return new HoldfastError('REDIS_UNREACHABLE', `'${where}' cannot be reached to ${doing}: ${message}`, {
    cause: error,
    ...hintFor(error as NodeJS.ErrnoException, where),
  });
}

/** What is wrong with a certificate, as Node names it (`tls`, X509 certificate error codes). */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO|CERT_(?!ALTNAME)|ALTNAME_INVALID/;

/** Of the two ends one may speak TLS and the other not, or not know whose word counts for a certificate. */
function hintFor({ code = '', message }: NodeJS.ErrnoException, where: string): { readonly hint?: string } {
  if (message.startsWith(NO_TLS) || /wrong version number/.test(message)) {
    return { hint: 'it does not speak TLS at this port: write `redis://` instead of `rediss://` into the url' };
  }
  if (/CERTIFICATE_REQUIRED/.test(code)) {
    return { hint: 'it wants a certificate of us, and we have none: have it say `tls-auth-clients no`' };
  }
  if (UNTRUSTED.test(code)) {
    return { hint: "name the authority that signed its certificate: 'caFile'; the host in the url must stand in it" };
  }
  const isPlain = where.startsWith('redis:');
  return isPlain && message === NO_WORD ? { hint: 'does it speak TLS alone? then write `rediss://` into the url' } : {};
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
