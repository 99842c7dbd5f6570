// What Holdfast wants to be among its peers, and whether a run shows it.

export interface Verdict {
  readonly goal: string;
  readonly value: number;
  /** Not to be exceeded. */
  readonly limit: number;
  readonly unit: '×' | 'MiB' | 's' | '%';
  readonly isMet: boolean;
  /** Which profile and steps say where the time went; absent for what is no time. */
  readonly of?: string;
}

export function verdict(goal: string, value: number, limit: number, unit: Verdict['unit'], of?: string): Verdict {
  return { goal, value, limit, unit, isMet: value <= limit, ...(of !== undefined && { of }) };
}

/** docs/architecture.md: the data path's memory does not grow with the data. */
export const MEMORY_MIB = 512;

export function goalTable(verdicts: readonly Verdict[]): string[] {
  const shown = ({ value, limit, unit }: Verdict) => {
    const digits = unit === 'MiB' ? 0 : 2;
    return `${value.toFixed(digits)} ${unit} | ≤ ${Number(limit.toFixed(2))} ${unit}`;
  };
  const rows = verdicts.map((each) => `| ${each.goal} | ${shown(each)} | ${each.isMet ? 'met' : '**NOT MET**'} |`);
  return ['| goal | measured | limit | |', '|---|--:|--:|---|', ...rows, ''];
}
