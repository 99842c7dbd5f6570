// Several things in the way of one restore, as one error: the first as it is, the others in its hint, so that all is mended before the next try.

import { HoldfastError } from '../../errors/index.ts';

export function together([first, ...others]: readonly [HoldfastError, ...HoldfastError[]]): HoldfastError {
  if (others.length === 0) return first;
  const also = others.map(({ message, hint }) => `${message} (${hint})`);
  return new HoldfastError(first.code, first.message, {
    hint: `${first.hint}; also in the way: ${also.join('; ')}`,
    cause: first,
    ...(first.details && { details: first.details }),
  });
}
