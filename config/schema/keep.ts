// Retention as a component asks for it: for each class an age, or rules of which any keeps.

import { z } from 'zod';
import { count, duration } from './values.ts';

export const rulesExpected =
  'a duration such as 90d, or rules such as { age: 90d, last: 10, daily: 14, weekly: 8, monthly: 12, yearly: 5 }, at least one of them';
const atLeastOne = () => count('a number, at least 1', 1).optional();

/** What one class keeps: an age, or rules whose union is kept. `whenMissing`: what is expected of a file that lacks it. */
export const keepRules = (whenMissing = rulesExpected) =>
  z
    .union(
      [
        duration(),
        z
          .strictObject({
            age: duration().optional(),
            last: atLeastOne(),
            daily: atLeastOne(),
            weekly: atLeastOne(),
            monthly: atLeastOne(),
            yearly: atLeastOne(),
          })
          .refine((rules) => Object.values(rules).some((rule) => rule !== undefined), {
            error: rulesExpected,
          }),
      ],
      { error: (issue) => (issue.input === undefined ? whenMissing : rulesExpected) },
    )
    .meta({ type: 'duration or rules' });
