// Makes the generated pages of docs/, or with --check only tells which are out of step. Runs with a Node that reads TypeScript.
import { stalePages, writePages } from './docs/generate.ts';

const check = process.argv.includes('--check');
const pages = await (check ? stalePages() : writePages());
for (const page of pages) process.stdout.write(`${check ? 'out of step' : 'written'}: ${page}\n`);
if (check && pages.length > 0) process.exitCode = 1;
