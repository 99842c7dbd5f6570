// How many cores had nothing to do since the last look. A core that waits for the disk is not idle.
import os from 'node:os';

/** @param {() => readonly { times: Record<string, number> }[]} cpus */
export function idleCores(cpus = os.cpus) {
  let last = sumOf(cpus());
  return () => {
    const now = sumOf(cpus());
    const [all, idle] = [now.all - last.all, now.idle - last.idle];
    last = now;
    return all === 0 ? 0 : (idle / all) * now.cores;
  };
}

function sumOf(cores) {
  const sum = (pick) => cores.reduce((total, { times }) => total + pick(times), 0);
  const all = sum((times) => Object.values(times).reduce((total, ms) => total + ms, 0));
  return { cores: cores.length, all, idle: sum(({ idle }) => idle) };
}
