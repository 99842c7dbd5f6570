// A result as programs read it: one JSON object on one line.

import type { Result } from '../result.ts';

export function renderJson(result: Result): string {
  return `${JSON.stringify(result)}\n`;
}
