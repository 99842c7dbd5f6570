// The files that a sandbox can protect beside its database: the statements of a bank, a folder a month.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

const MONTHS = 6;
const ACCOUNTS = 40;

export function statementsDirectory(directory: string): string {
  return path.join(directory, 'statements');
}

/** The same for every sandbox. */
export async function writeStatements(directory: string): Promise<void> {
  const root = statementsDirectory(directory);
  for (let month = 1; month <= MONTHS; month++) {
    const folder = path.join(root, '2026', String(month).padStart(2, '0'));
    await mkdir(folder, { recursive: true });
    for (let account = 1; account <= ACCOUNTS; account++) {
      await writeFile(path.join(folder, `account-${account}.txt`), statement(month, account));
    }
  }
}

function statement(month: number, account: number): string {
  const lines = Array.from({ length: 30 }, (_, day) => {
    const cents = ((account * 7919 + month * 104_729 + day * 1_299_709) % 2_000_003) - 1_000_000;
    return `2026-${String(month).padStart(2, '0')}-${String(day + 1).padStart(2, '0')}  ${(cents / 100).toFixed(2).padStart(12)}`;
  });
  return [`statement of account ${account}`, ...lines, ''].join('\n');
}
