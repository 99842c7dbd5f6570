// The transactions around a recovery's end: the last one that is replayed, the first one that is not.

import { compareLsn, type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import { momentFromPostgresMicros } from '../../domain/moment.ts';
import type { ResolvedTarget } from '../types.ts';
import type { WalEvent } from '../wal/index.ts';
import type { Branch } from './branch.ts';
import type { Found } from './find-target.ts';
import { walkLog } from './log-walk.ts';

type Point = NonNullable<ResolvedTarget['lastTransaction']>;

/** The last transaction end that is replayed and the first one that is not, as the log has them. */
export async function neighbours(
  branch: Branch,
  found: Found,
): Promise<{ lastTransaction?: Point; firstLeftOut?: Point }> {
  const { base, record } = found;
  const after = objectsInRun(branch, found).find(
    ({ header }) => header.last && compareLsn(header.last.lsn, record.endLsn) >= 0,
  );
  const last = await lastTransactionBefore(branch, found, record.endLsn);
  const first = after && (await transactionsIn(branch, after.header, base.run.toLsn, record.endLsn, undefined)).first;
  return {
    ...(last === undefined ? {} : { lastTransaction: last }),
    ...(first === undefined ? {} : { firstLeftOut: first }),
  };
}

function objectsInRun(branch: Branch, { base }: Found) {
  return branch.objects.filter(({ header }) => compareLsn(header.fromLsn, base.run.toLsn) < 0);
}

/** The last transaction end that starts in front of `lsn` and not in front of the base. */
export async function lastTransactionBefore(branch: Branch, found: Found, lsn: Lsn): Promise<Point | undefined> {
  const { startLsn } = found.base.details;
  const before = objectsInRun(branch, found).findLast(
    ({ header }) => header.first && compareLsn(header.first.lsn, lsn) < 0 && compareLsn(header.toLsn, startLsn) > 0,
  );
  return before && (await transactionsIn(branch, before.header, found.base.run.toLsn, startLsn, lsn)).last;
}

/** First and last transaction end whose record starts in `[from, to)`, walking from an object on; without `to` only the first. */
async function transactionsIn(
  { archive, history }: Branch,
  header: { readonly fromLsn: Lsn; readonly toLsn: Lsn },
  limit: Lsn,
  from: Lsn,
  to: Lsn | undefined,
): Promise<{ first?: Point; last?: Point }> {
  const found: { first?: Point; last?: Point } = {};
  const onEvent = (event: WalEvent) => {
    if (to !== undefined && event.lsn >= lsnValue(to)) return true;
    if (event.type !== 'transaction' || event.lsn < lsnValue(from)) return false;
    const point = { lsn: lsnFrom(event.lsn), time: momentFromPostgresMicros(event.timeMicros), xid: String(event.xid) };
    found.first ??= point;
    found.last = point;
    return to === undefined;
  };
  await walkLog({ archive, history, from: lsnValue(header.fromLsn), to: lsnValue(limit), onEvent });
  return found;
}
