// A reporter for node:test that counts what ran in all files, and names the tests that take long while they run.
import path from 'node:path';
import { inspect } from 'node:util';
import { endHungFile } from './end-hung-file.mjs';

const reminderMs = 30_000;
const errorLines = 25;

/** @param {AsyncIterable<{ type: string, data: any }>} events @yields {string} one JSON object, at the end */
export default async function* summaryReporter(events) {
  const running = new Map();
  const failedFiles = new Set();
  const hung = new Set();
  const tally = { passed: 0, failed: 0, skipped: [], empty: [], failures: [] };
  const reminder = setInterval(() => remind(running), reminderMs);
  for await (const { type, data } of events) {
    const file = data.file && path.relative(process.cwd(), data.file);
    const key = `${file}:${data.line}:${data.column}`;
    if (type === 'test:dequeue' && !isFile(data)) running.set(key, { name: data.name, file, since: performance.now() });
    if (type === 'test:complete') running.delete(key);
    if (type === 'test:fail' && file) {
      failedFiles.add(file);
      const { error } = data.details;
      if (error.failureType === 'testTimeoutFailure' && !hung.has(file)) {
        hung.add(file);
        void endHungFile(file).then((ended) => tell(file, ended));
      }
      // A suite fails because of its tests: they say why.
      if (error.failureType !== 'subtestsFailed') tally.failures.push({ file, name: data.name, error: told(error) });
    }
    if (type === 'test:pass' && data.details?.type === 'test') {
      // A file in which no test was registered passes as if it were one.
      if (isFile(data)) tally.empty.push(file);
      else if (data.skip !== undefined || data.todo !== undefined) tally.skipped.push(`${file}: ${data.name}`);
    }
    // One of each file.
    if (type === 'test:summary' && data.file === undefined) {
      const { passed, failed, cancelled } = data.counts;
      tally.passed += passed;
      // A suite whose own hook failed has no failed test in it.
      tally.failed += data.success ? 0 : Math.max(1, failed + cancelled);
    }
  }
  clearInterval(reminder);
  tally.passed -= tally.empty.length;
  yield JSON.stringify({ ...tally, failedFiles: [...failedFiles] });
}

/** A file that registers no test is told as a test of its name, as it was named to the runner: from the working directory on, or from the root. */
function isFile({ name, nesting, file }) {
  return nesting === 0 && file !== undefined && path.resolve(name) === path.resolve(file);
}

/** The beginning of an error as a person reads it: what was thrown, not what the runner wraps around it. */
function told(error) {
  const text = inspect(error.cause ?? error, { depth: 3, breakLength: 120, maxStringLength: 2_000 });
  return text.split('\n').slice(0, errorLines).join('\n');
}

function tell(file, ended) {
  if (ended.length > 0) process.stderr.write(`test  ended, because it hung after a test that timed out: ${file}\n`);
}

function remind(running) {
  for (const { name, file, since } of running.values()) {
    const seconds = Math.round((performance.now() - since) / 1000);
    if (seconds * 1000 >= reminderMs)
      process.stderr.write(`test  still running after ${seconds} s: ${file}: ${name}\n`);
  }
}
