// Runs test files, each in a process of its own: prints what came of each when it has ended, and writes the summary of all of them.
import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { idleCores } from './idle-cores.mjs';
import { inLanes } from './in-lanes.mjs';
import { longestFirst } from './longest-first.mjs';
import summaryReporter from './summary-reporter.mjs';

const [summaryFile, timeoutMs, ...patterns] = process.argv.slice(2);
const cores = os.availableParallelism();
/** One more than there are cores, because tests wait for servers and for time to pass more than they compute; but each brings servers of its own. */
const least = Math.min(4, cores + 1);
/** Files that only wait leave the cores to others; what more of them at once needs is memory. */
const most = least + cores;
/** Half a core is what a file that is about to start its servers finds enough. */
const enoughCores = 0.5;
/** A whole estate with its servers, twice over. */
const enoughBytes = 3 * 1024 ** 3;

const files = longestFirst([...new Set(patterns.flatMap((pattern) => named(pattern)))]);
const isIdle = idleCores();
const hasRoom = () => isIdle() >= enoughCores && os.freemem() >= enoughBytes;
const aborted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => aborted.abort());

const events = new PassThrough({ objectMode: true });
const summary = summaryReporter(events).next();
const printed = spec();
printed.pipe(process.stdout);
const took = [];
/** One of each file that came to its end. */
let ended = 0;
let isGood = true;

await inLanes(files, runFile, { least, most, hasRoom, signal: aborted.signal });
events.end();
printed.end();
await writeFile(summaryFile, (await summary).value);
if (files.length > least) printLongest();
process.exitCode = isGood && ended === files.length && !aborted.signal.aborted ? 0 : 1;

/** A name that is no pattern is that of a file, which must be there. */
function named(pattern) {
  const found = globSync(pattern).map((file) => path.relative(process.cwd(), path.resolve(file)));
  if (found.length > 0) return found;
  throw new Error(`there is no test file '${pattern}'`);
}

async function runFile(file) {
  const startedAt = performance.now();
  const own = [];
  for await (const event of run({ files: [file], timeout: Number(timeoutMs), signal: aborted.signal })) {
    events.write(event);
    // What the runner tells of a run as a whole is told of all files at the end.
    const isOfRun = event.data.file === undefined;
    if (event.type === 'test:fail') isGood = false;
    if (event.type === 'test:summary' && isOfRun) {
      ended += 1;
      isGood &&= event.data.success;
    }
    if (!isOfRun && event.type !== 'test:summary') own.push(event);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  took.push({ file, seconds });
  process.stdout.write(`${file}  (${seconds.toFixed(1)} s)\n`);
  for (const event of own) printed.write(event);
}

function printLongest() {
  const longest = took.sort((one, other) => other.seconds - one.seconds).slice(0, 20);
  process.stdout.write('the longest files:\n');
  for (const { file, seconds } of longest) process.stdout.write(`  ${seconds.toFixed(0).padStart(5)} s  ${file}\n`);
}
