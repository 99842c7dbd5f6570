// Reads the answer to one command of the replication protocol: row sets as texts, or the start of a copy.

import { parseServerError } from './server-error.ts';
import { messageTypes, type Wire } from './wire.ts';

/** Column name to text; NULL is `undefined`. */
export type TextRow = Readonly<Record<string, string | undefined>>;

export interface RowSet {
  readonly rows: readonly TextRow[];
}

export type Answer =
  | { readonly type: 'done'; readonly sets: readonly RowSet[] }
  | { readonly type: 'copy'; readonly sets: readonly RowSet[] };

/** Reads row sets until the server is ready again (`done`) or begins a copy (`copy`). Throws what the server threw, after it is ready again. */
export async function readAnswer(wire: Wire, silenceMs: number): Promise<Answer> {
  const sets: RowSet[] = [];
  let columns: readonly string[] = [];
  let rows: TextRow[] = [];
  let failure: Error | undefined;
  for (;;) {
    const { type, body } = await wire.next(silenceMs);
    switch (type) {
      case messageTypes.rowDescription:
        columns = parseColumns(body);
        rows = [];
        sets.push({ rows });
        break;
      case messageTypes.dataRow:
        rows.push(parseRow(body, columns));
        break;
      case messageTypes.error:
        failure ??= parseServerError(body);
        break;
      case messageTypes.copyIn:
      case messageTypes.copyOut:
      case messageTypes.copyBoth:
        return { type: 'copy', sets };
      case messageTypes.readyForQuery:
        if (failure !== undefined) throw failure;
        return { type: 'done', sets };
      default:
    }
  }
}

function parseColumns(body: Buffer): string[] {
  const names: string[] = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left -= 1) {
    const end = body.indexOf(0, at);
    names.push(body.toString('utf8', at, end));
    // Table, column, type, size, modifier, format.
    at = end + 1 + 18;
  }
  return names;
}

function parseRow(body: Buffer, columns: readonly string[]): TextRow {
  const row: Record<string, string | undefined> = {};
  let at = 2;
  for (const column of columns) {
    const size = body.readInt32BE(at);
    at += 4;
    row[column] = size < 0 ? undefined : body.toString('utf8', at, at + size);
    at += Math.max(size, 0);
  }
  return row;
}
