// Another host as far as the network goes: a namespace with an address of its own, one cable away, for the time of a test.

import { run, tryRun } from '../../src/process/index.ts';

type Scope = { after(fn: () => Promise<void>): void };

export interface OtherHost {
  /** Ours and its address on the cable. */
  readonly ours: string;
  readonly theirs: string;
  /** A command that runs there. */
  readonly inside: (program: string, ...args: readonly string[]) => readonly string[];
}

/** As root. Addresses are of the range for tests between networks (RFC 2544), by the number of our process, so that tests at the same time do not meet. */
export async function otherHost(t: Scope): Promise<OtherHost> {
  const number = process.pid % 16_384;
  const address = (last: number) => `198.18.${number >> 6}.${(number & 63) * 4 + last}`;
  const [ours, theirs] = [address(1), address(2)];
  const name = `holdfast-${process.pid}`;
  const [here, there] = [`hf${process.pid}a`, `hf${process.pid}b`];
  const ip = (...args: readonly string[]) => run('ip', args, { deadlineMs: 60_000 });
  const inside = (program: string, ...args: readonly string[]) => ['netns', 'exec', name, program, ...args];
  await ip('netns', 'add', name);
  t.after(async () => {
    await tryRun('ip', ['link', 'del', here]);
    await ip('netns', 'del', name);
  });
  await ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', name);
  await ip('addr', 'add', `${ours}/30`, 'dev', here);
  await ip('link', 'set', here, 'up');
  await ip(...inside('ip', 'addr', 'add', `${theirs}/30`, 'dev', there));
  await ip(...inside('ip', 'link', 'set', there, 'up'));
  await ip(...inside('ip', 'link', 'set', 'lo', 'up'));
  return { ours, theirs, inside };
}
