// Records the histories of the runs of one estate into test/replay, for the test that replays them under the current code.
// Usage: node scripts/record-histories.mjs ADDRESS ESTATE
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';

const [address, estate] = process.argv.slice(2);
const folder = path.resolve(import.meta.dirname, '..', 'test', 'replay');
const connection = await Connection.connect({ address });
const { workflow } = new Client({ connection });
const counts = new Map();
await mkdir(folder, { recursive: true });
for await (const { workflowId, runId, type } of workflow.list({ query: `HoldfastEstate = "${estate}"` })) {
  const number = (counts.get(type) ?? 0) + 1;
  counts.set(type, number);
  if (number > 3) continue;
  const history = await workflow.getHandle(workflowId, runId).fetchHistory();
  const { History } = proto.temporal.api.history.v1;
  dropStackTraces(history);
  // The protocol's own bytes: they read the same under every version of the SDK.
  const bytes = Buffer.from(History.encode(history).finish()).toString('base64');
  const record = { type, events: history.events.length, history: bytes };
  await writeFile(path.join(folder, `${type}-${number}.json`), `${JSON.stringify(record)}\n`);
  process.stdout.write(`${type}-${number}.json  ${workflowId}\n`);
}
await connection.close();

/** They name the directories of the machine that recorded, and a replay does not read them. */
function dropStackTraces(part) {
  if (typeof part !== 'object' || part === null || ArrayBuffer.isView(part)) return;
  if (typeof part.stackTrace === 'string') part.stackTrace = '';
  for (const value of Object.values(part)) dropStackTraces(value);
}
