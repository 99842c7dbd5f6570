// Where a command's CPU time goes, by `perf`: in its own code by what that does, in the kernel by the call that asked for it.

import { rm } from 'node:fs/promises';
import { run, start, tryRun } from '../../src/process/index.ts';
import type { Command } from './command.ts';
import { interrupted } from './interrupt.ts';

/** Not a divisor of what kernels and programs do by the clock. */
const SAMPLES_A_SECOND = 499;
/** Shares below it say nothing. */
const LEAST_SHARE = 0.005;

/** Of the program's own symbols, the first that fits. */
const inProgram: readonly (readonly [name: string, symbols: RegExp])[] = [
  ['compression', /^(ZSTD|HUF|FSE|HIST|XXH|COVER|inflate|deflate)/],
  ['SHA-256', /sha256/i],
  ['AES-GCM', /aes|gcm|ghash/i],
  ['garbage collection', /v8::internal::.*(Mark|Scaveng|Sweep|Evacuat|Heap|Collect|IteratePointers|BodyDescriptor)/],
  ['copying in memory', /^(__)?mem(cpy|move|set|cmp)/],
  ['allocating', /malloc|free|calloc|unlink_chunk/],
  ['JavaScript', /^(Builtins_|0x|\[JIT\]|JS:)/],
];

/** Of the kernel's calls, with everything below them. */
const inKernel: readonly (readonly [name: string, calls: RegExp])[] = [
  [
    'making, naming and opening files',
    /^(openat|open|creat|rename|renameat2?|mkdir|mkdirat|unlink|unlinkat|close|link)$/,
  ],
  [
    'modes, times and listings of files',
    /^(fchmod|fchown|utimensat|fstat|newfstat|newfstatat|statx|lstat|stat|getdents64|readlink)$/,
  ],
  ['writing files', /^(write|pwrite64|writev|pwritev|ftruncate)$/],
  ['reading files', /^(read|pread64|readv)$/],
  ['syncing', /^(fsync|fdatasync|syncfs|sync_file_range)$/],
  ['mapping memory', /^(mmap|munmap|madvise|mprotect|brk|mremap)$/],
  ['waiting for each other', /^(futex|epoll_wait|epoll_pwait|epoll_pwait2|sched_yield)$/],
];
const PAGE_FAULTS = 'touching memory for the first time';

export interface ProfilePart {
  readonly name: string;
  /** Of all samples, 0 to 1. */
  readonly share: number;
}

export interface Profile {
  readonly cpuS: number;
  /** The largest first. */
  readonly parts: readonly ProfilePart[];
}

/**
 * Runs the command once more, more slowly than a measurement. `scratch`: a file to use and remove. `others`: programs below the command of which
 * only the whole is told, by their names. `undefined` where the kernel does not let `perf` look.
 */
export async function profile(
  perf: string,
  command: Command,
  scratch: string,
  others: readonly string[] = [],
): Promise<Profile | undefined> {
  const options = { cwd: command.cwd, env: command.env, signal: interrupted };
  if (!(await mayLook(perf, scratch))) return undefined;
  await run(perf, [...recording(scratch), '--', ...command.argv], options);
  return await readRecord(perf, scratch, others);
}

/** Looks at a process that runs already while `work` is done. */
export async function profileWhile(
  perf: string,
  pid: number,
  scratch: string,
  work: () => Promise<unknown>,
): Promise<Profile | undefined> {
  if (!(await mayLook(perf, scratch))) {
    await work();
    return undefined;
  }
  const looking = await start(perf, [...recording(scratch), '--pid', String(pid)], { signal: interrupted });
  looking.stdout?.resume();
  await work().finally(() => looking.stop({ signal: 'SIGINT' }));
  return await readRecord(perf, scratch);
}

async function mayLook(perf: string, scratch: string): Promise<boolean> {
  const words = ['record', '--quiet', '--output', scratch, '--', 'true'];
  return (await tryRun(perf, words, { signal: interrupted })).exitCode === 0;
}

function recording(scratch: string): string[] {
  return ['record', '--quiet', '-g', '--freq', String(SAMPLES_A_SECOND), '--output', scratch];
}

async function readRecord(perf: string, scratch: string, others: readonly string[] = []): Promise<Profile> {
  const byProgram = others.length > 0;
  // Some names of C++ are longer than a page, and every line is as wide as the longest.
  const narrow = ['--column-widths', byProgram ? '12,16,160' : '12,160', '--percent-limit', '0.02'];
  const sort = ['--sort', byProgram ? 'comm,symbol' : 'symbol'];
  const report = async (how: '--children' | '--no-children') => {
    const asked = ['report', '--stdio', '--input', scratch, ...sort, '-g', 'none', ...narrow, how];
    return (await run(perf, asked, { signal: interrupted })).stdout;
  };
  const found = readProfile(await report('--no-children'), await report('--children'), others);
  await rm(scratch);
  return found;
}

/** `own`: of `perf report --no-children`; `below`: with the children. `others`: as of `profile`; both reports are by program and symbol then. */
export function readProfile(own: string, below: string, others: readonly string[] = []): Profile {
  const shares = new Map<string, number>();
  const add = (name: string, share: number) => shares.set(name, (shares.get(name) ?? 0) + share);
  let kernel = 0;
  for (const { share, program, space, symbol } of rowsOf(own)) {
    if (others.includes(program)) add(program, share);
    else if (space === 'k') kernel += share;
    else add(inProgram.find(([, symbols]) => symbols.test(symbol))?.[0] ?? 'the rest of Node', share);
  }
  for (const { share, program, space, symbol } of rowsOf(below)) {
    if (space !== 'k' || others.includes(program)) continue;
    const call = /^__(?:x64|arm64|se)_sys_(\w+)$/.exec(symbol)?.[1];
    const name = call === undefined ? undefined : inKernel.find(([, calls]) => calls.test(call))?.[0];
    const known = name ?? (/^(asm_)?exc_page_fault$|^do_page_fault$/.test(symbol) ? PAGE_FAULTS : undefined);
    // The fault is in the list by two names.
    if (known === undefined || symbol.startsWith('asm_')) continue;
    add(known, share);
    kernel -= share;
  }
  add('the rest of the kernel', Math.max(0, kernel));
  const parts = [...shares].map(([name, share]) => ({ name, share })).filter(({ share }) => share >= LEAST_SHARE);
  const nanoseconds = Number(/^# Event count \(approx\.\): (\d+)/m.exec(own)?.[1] ?? 0);
  return { cpuS: nanoseconds / 1e9, parts: parts.sort((a, b) => b.share - a.share) };
}

interface Row {
  readonly share: number;
  /** Empty where the report is not by program. */
  readonly program: string;
  readonly space: string;
  readonly symbol: string;
}

/** As `    14.59%  [.] ZSTD_decompress`, with the children's share in front of the own one, and the program's name in front of the brackets. */
function rowsOf(report: string): Row[] {
  return report.split('\n').flatMap((line) => {
    const found = /^\s*([\d.]+)%(?:\s+[\d.]+%)?(?:\s+(\S.*?))?\s+\[(.)\]\s+(.+?)(?:\s+-\s+-)?\s*$/.exec(line);
    if (!found) return [];
    const [, percent, program = '', space = '', symbol = ''] = found;
    return [{ share: Number(percent) / 100, program, space, symbol }];
  });
}
