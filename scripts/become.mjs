// Ends as another program: its terminal, its signals and its exit status are ours from here on.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A key pressed at the terminal reaches us and the child alike; forwarding it too would count as pressing it twice. */
function isTerminalForeground() {
  const [, , group, , , terminalGroup] = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return group === terminalGroup;
}

/** @param {string} program @param {string[]} args @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options] */
export function become(program, args, options = {}) {
  const child = spawn(program, args, { ...options, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    const fromKeyboard = signal === 'SIGINT' || signal === 'SIGQUIT';
    process.on(signal, () => (fromKeyboard && isTerminalForeground()) || child.kill(signal));
  }
  child.on('error', (error) => {
    process.stderr.write(`'${program}' cannot be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
