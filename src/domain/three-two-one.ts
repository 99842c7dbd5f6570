// The rule 3-2-1-1-0 over the copies of a vault: which digits hold, what is missing for the others, and the setting that would give it.

import { type CopyVerified, HINT_TO_VERIFY, isBad, repairHint, verifiedWords } from './copy-verified.ts';

/**
 * Three copies on two kinds of media, one of them off-site (US-CERT, Data Backup Options, 2012: "3 copies of any important file: 1 primary and 2 backups"), one
 * that nobody can change, and none with errors. Production is one of the three, and a disk, as that source counts; it is never the one that is off-site or immutable.
 */
export const ruleDigits = [3, 2, 1, 1, 0] as const;

/** What the rule asks of one copy. */
export interface RuledCopy {
  readonly copy: string;
  readonly medium: string;
  readonly offsite: boolean;
  /** `complete`: it answers and has every snapshot and the log that any copy has. */
  readonly state: 'complete' | 'behind' | 'away' | 'unknown';
  /** Whether it locks its objects; `seen` once a lock was seen to hold. */
  readonly lock?: { readonly isSeen?: boolean };
  /** By proofs of what was read there; absent: that is not known. */
  readonly verified?: CopyVerified;
}

export interface RuleDigit {
  readonly digit: (typeof ruleDigits)[number];
  readonly name: 'copies' | 'media' | 'off-site' | 'immutable' | 'errors';
  /** `lost`: the configuration gives it, and a copy that is away, behind, damaged or not verified for too long takes it. `unmet`: the configuration does not give it. */
  readonly state: 'held' | 'lost' | 'unmet';
  /** In words: what counts, and what is missing. */
  readonly message: string;
  /** The setting or the command that would give it; only where it does not hold. */
  readonly hint?: string;
}

export interface RuleVerdict {
  readonly digits: readonly RuleDigit[];
  /** How it is said: `3-2-1-1-0`, a digit that does not hold in brackets. */
  readonly words: string;
}

/** Kind of medium that a running database lies on. */
const PRODUCTION_MEDIUM = 'disk';

export function judgeRule(copies: readonly RuledCopy[]): RuleVerdict {
  const digits = [countDigit(copies), mediaDigit(copies), offsiteDigit(copies), lockDigit(copies), errorDigit(copies)];
  const words = digits.map(({ digit, state }) => (state === 'held' ? `${digit}` : `(${digit})`)).join('-');
  return { digits, words };
}

const isComplete = ({ state }: RuledCopy) => state === 'complete';
const names = (copies: readonly RuledCopy[]) => copies.map(({ copy }) => copy).join(', ') || 'no copy';
const late = (copies: readonly RuledCopy[]) =>
  copies
    .filter((copy) => !isComplete(copy))
    .map(({ copy, state }) => (state === 'unknown' ? `${copy} is not known` : `${copy} is ${state}`))
    .join(', ');
const bringBack = (copies: readonly RuledCopy[]) => {
  const one = copies.find(({ state }) => state === 'behind');
  return one === undefined
    ? 'bring back the copy that is away'
    : `\`holdfast copies catch-up ${one.copy}\` brings it up to date`;
};

/** A digit that enough of `able` copies give; `lost` when the complete ones among them do not, and all together would. */
function digitOf(
  digit: RuleDigit['digit'],
  name: RuleDigit['name'],
  holds: (copies: readonly RuledCopy[]) => boolean,
  able: readonly RuledCopy[],
  words: { readonly counted: (copies: readonly RuledCopy[]) => string; readonly hint: string },
): RuleDigit {
  const complete = able.filter(isComplete);
  if (holds(complete)) return { digit, name, state: 'held', message: words.counted(complete) };
  if (holds(able)) {
    return {
      ...{ digit, name, state: 'lost' },
      message: `${words.counted(complete)}; ${late(able)}`,
      hint: bringBack(able),
    };
  }
  return { digit, name, state: 'unmet', message: words.counted(able), hint: words.hint };
}

function countDigit(copies: readonly RuledCopy[]): RuleDigit {
  const missing = Math.max(1, 2 - copies.length);
  return digitOf(3, 'copies', (all) => all.length >= 2, copies, {
    counted: (all) => `${all.length + 1} copies of the data: production, ${names(all)}`,
    hint: `add ${missing === 1 ? 'another copy' : `${missing} copies`} below 'vault.copies', then \`holdfast copies add NAME\``,
  });
}

function mediaDigit(copies: readonly RuledCopy[]): RuleDigit {
  const mediaOf = (all: readonly RuledCopy[]) => [...new Set([PRODUCTION_MEDIUM, ...all.map(({ medium }) => medium)])];
  return digitOf(2, 'media', (all) => mediaOf(all).length >= 2, copies, {
    counted: (all) => {
      const media = mediaOf(all);
      return `${media.length} ${media.length === 1 ? 'kind' : 'kinds'} of media: ${media.join(', ')}`;
    },
    hint: "add a copy on another kind of medium ('s3', or 'medium' of a copy that is on one)",
  });
}

function offsiteDigit(copies: readonly RuledCopy[]): RuleDigit {
  const able = copies.filter(({ offsite }) => offsite);
  return digitOf(1, 'off-site', (all) => all.length >= 1, able, {
    counted: (all) => `off-site: ${names(all)}`,
    hint: "add a copy in another place, with 'offsite: true'",
  });
}

function lockDigit(copies: readonly RuledCopy[]): RuleDigit {
  const able = copies.filter(({ lock }) => lock !== undefined && lock.isSeen !== false);
  const failed = copies.filter(({ lock }) => lock?.isSeen === false);
  const broken = failed.length === 0 ? '' : `; asked of ${names(failed)}, and not given`;
  return digitOf(1, 'immutable', (all) => all.length >= 1, able, {
    counted: (all) => `that nobody can change: ${names(all)}${broken}`,
    hint: "set 's3.lock' of a copy whose bucket has Object Lock",
  });
}

function errorDigit(copies: readonly RuledCopy[]): RuleDigit {
  const about = { digit: 0, name: 'errors' } as const;
  const open = copies.filter(({ verified }) => verified?.state !== 'good');
  if (open.length === 0) return { ...about, state: 'held', message: 'every copy was read lately and is good' };
  const message = open
    .map(({ copy, verified }) => `${copy}: ${verified === undefined ? 'not known' : verifiedWords(verified)}`)
    .join('; ');
  const bad = open.find(({ verified }) => verified !== undefined && isBad(verified));
  if (bad !== undefined) return { ...about, state: 'lost', message, hint: repairHint(bad.copy, bad.verified?.level) };
  const wasGood = open.some(({ verified }) => verified?.state === 'overdue');
  return { ...about, state: wasGood ? 'lost' : 'unmet', message, hint: HINT_TO_VERIFY };
}
