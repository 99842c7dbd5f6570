// Shows the end of the logs that a failed test kept, so that a failure can be understood from the output alone.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

const lineCount = 15;
const lineChars = 240;

/** `keepLog` of test/support names a kept log after its test file; only those of failed files are shown. */
function belongsTo(logName, file) {
  return logName.startsWith(`${path.basename(file, '.test.ts')}--`);
}

/** @param {string} folder @param {string[]} failedFiles */
export async function printLogTails(folder, failedFiles) {
  for (const name of (await readdir(folder)).sort()) {
    if (name.includes('--') && !failedFiles.some((file) => belongsTo(name, file))) continue;
    const lines = (await readFile(path.join(folder, name), 'utf8')).trimEnd().split('\n');
    process.stdout.write(`\n--- the last lines of ${name}\n${shorten(lines.slice(-lineCount))}\n`);
  }
}

function shorten(lines) {
  return lines.map((line) => (line.length > lineChars ? `${line.slice(0, lineChars)}…` : line)).join('\n');
}
