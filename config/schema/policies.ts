// What holds for all components: what becomes of what is not kept, how copies are verified, who must agree.

import { parseDuration } from '../../src/domain/duration.ts';
import { count, duration, mapping, oneOf, parsed, schedule, size } from './values.ts';

const shareExpected = 'a share of the snapshots of a class from 1% to 100%, such as 35%';

export const retention = mapping({
  schedule: schedule()
    .default('daily 04:00')
    .describe(
      'When `holdfast retention apply` runs by itself: where a component has `keep`, or a copy has `lock`, so that what is held stays locked.',
    ),
  grace: parsed('a duration of at least 1h, such as 7d', (text) => {
    if (parseDuration(text) < 3600) throw new RangeError('too short');
  })
    .default('7d')
    .meta({ type: 'duration' })
    .describe(
      'Time between naming what is not needed and deleting it, on every copy. In it, everything can be had back.',
    ),
  maximum: mapping({
    share: parsed(shareExpected, (text) => {
      if (!/^\d{1,3}%$/.test(text) || Number.parseInt(text, 10) < 1 || Number.parseInt(text, 10) > 100) {
        throw new RangeError('no share');
      }
    })
      .default('35%')
      .describe('Most snapshots of a class of one component, as a share of those that are not marked yet.'),
    snapshots: count('a number of snapshots, at least 1', 1)
      .default(3)
      .describe('So many may be marked in any case, whatever their share.'),
  })
    .prefault({})
    .describe(
      'What one run may mark for deletion. A mistake (a rule that is too short, a clock that jumped) asks for much at once: then nothing of the component is marked and the run is refused, until somebody has looked and says `retention apply --beyond-maximum`.',
    ),
});

export const verify = mapping({
  schedule: schedule().default('daily 05:00').describe('When `holdfast test integrity` runs by itself.'),
  level: oneOf(['listed', 'attested', 'hashed', 'decrypted'])
    .default('hashed')
    .describe('How closely is looked: listings, the checksums of the stores, every byte, every chunk.'),
  within: duration()
    .default('30d')
    .describe('What was seen good at this level in this time is not read again; whole days.'),
  bytes: size()
    .optional()
    .meta({ defaultText: 'no limit' })
    .describe('Most bytes that one run reads, longest ago first.'),
  time: duration().default('4h').describe('A run begins no object after so long.'),
});

export const approval = mapping({
  restoreInPlace: oneOf(['never', 'always'])
    .default('never')
    .describe('Whether a restore in place waits for `holdfast approve`.'),
  within: duration().default('1h').describe('A plan that nobody approved within this time is refused.'),
});
