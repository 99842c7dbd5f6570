// Runs a command during set-up, when neither the dependencies nor a Node that can read src/process are there yet.
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options] `timeoutMs` ends the child with SIGKILL
 * @returns {Promise<{ ok: boolean, stdout: string, stderr: string }>} never rejects: a program that cannot be started is not ok
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const deadline = options.timeoutMs && setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
    running.add(child);
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output.stderr += text;
    });
    const finish = (ok, extra = '') => {
      running.delete(child);
      clearTimeout(deadline);
      resolve({ ok, stdout: output.stdout, stderr: output.stderr + extra });
    };
    child.on('error', (error) => finish(false, error.message));
    child.on('close', (code) => finish(code === 0));
  });
}

/** The last lines of what a failed command said, indented for a message. */
export function tail(result, lines = 12) {
  const text = (result.stderr.trim() || result.stdout.trim()).split('\n');
  return text
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n');
}

/** Absolute path of a program on PATH, or undefined. */
export async function which(program) {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, program);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}
