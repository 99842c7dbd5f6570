// When something is to happen, as written in the configuration (`daily 02:00`, `every 6h`), in a form that Temporal Schedules take.

import { fail } from '../errors/index.ts';
import { parseDuration } from './duration.ts';

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export type Schedule =
  /** Wall-clock time in the estate's time zone, each day or on one day of the week. */
  | { readonly type: 'calendar'; readonly hour: number; readonly minute: number; readonly weekday?: Weekday }
  /** Every so many seconds, counted from 1970 in UTC, as Temporal counts intervals. */
  | { readonly type: 'interval'; readonly everySeconds: number };

export const scheduleExpected =
  "a schedule such as 'daily 02:00', 'weekly sunday 03:30' or 'every 6h' (an interval of at least one minute)";

const CALENDAR = /^(?:daily|weekly (\w+)) (\d\d):(\d\d)$/;
const INTERVAL = /^every (\S+)$/;

/** Throws `MOMENT_INVALID`. */
export function parseSchedule(text: string): Schedule {
  const schedule = readCalendar(text.trim()) ?? readInterval(text.trim());
  return schedule ?? fail('MOMENT_INVALID', `expected ${scheduleExpected}, got '${text}'`);
}

function readCalendar(text: string): Schedule | undefined {
  const match = CALENDAR.exec(text);
  if (!match) return undefined;
  const [hour, minute] = [Number(match[2]), Number(match[3])];
  if (hour > 23 || minute > 59) return undefined;
  if (match[1] === undefined) return { type: 'calendar', hour, minute };
  const weekday = WEEKDAYS.find((day) => day === match[1]?.toLowerCase());
  return weekday && { type: 'calendar', hour, minute, weekday };
}

function readInterval(text: string): Schedule | undefined {
  const match = INTERVAL.exec(text);
  if (!match) return undefined;
  try {
    const everySeconds = parseDuration(match[1] ?? '');
    return everySeconds >= 60 ? { type: 'interval', everySeconds } : undefined;
  } catch {
    return undefined;
  }
}

/** Longest time between two runs, in seconds; a day with a change of clocks counts as the ordinary one. */
export function schedulePeriodSeconds(schedule: Schedule): number {
  if (schedule.type === 'interval') return schedule.everySeconds;
  return schedule.weekday === undefined ? 86_400 : 7 * 86_400;
}
