// Stands in for systemd on a host without it: a `systemctl` for one unit that starts, stops and masks like the real one, and writes down what it was asked.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ScratchPostgres } from './scratch-postgres.ts';

export interface FakeSystemd {
  /** To be the first in `PATH`. */
  readonly bin: string;
  /** What `systemctl` was asked for since the last look. */
  asked(): Promise<readonly string[]>;
}

/** `etc`: a mask has no effect, and taking one away is refused: whoever asks may only start and stop. */
export async function fakeSystemd(server: ScratchPostgres, { etc = false } = {}): Promise<FakeSystemd> {
  const directory = path.join(server.directory, etc ? 'systemd-etc' : 'systemd');
  const bin = path.join(directory, 'bin');
  const log = path.join(directory, 'asked');
  await mkdir(bin, { recursive: true });
  await writeFile(log, '');
  const ctl = `setpriv --reuid=postgres --regid=postgres --init-groups ${server.bin('pg_ctl')} -D ${server.dataDirectory} -w -t 60`;
  const program = `#!/bin/sh
echo "$*" >> ${log}
cd /
masked=${directory}/masked
case $1 in
  mask) ${etc ? ':' : ': > $masked'} ;;
  unmask) ${etc ? 'exit 1' : 'rm -f $masked'} ;;
  show) if [ -e $masked ]; then echo masked; else echo loaded; fi ;;
  reset-failed) ;;
  stop) ${ctl} -m fast stop || [ ! -e ${server.dataDirectory}/postmaster.pid ] ;;
  start)
    if [ -e $masked ]; then echo "Failed to start: Unit is masked." >&2; exit 1; fi
    ${ctl} -l ${server.directory}/server.log start ;;
  *) exit 1 ;;
esac
`;
  await writeFile(path.join(bin, 'systemctl'), program);
  await chmod(path.join(bin, 'systemctl'), 0o755);
  return {
    bin,
    asked: async () => {
      const lines = (await readFile(log, 'utf8')).split('\n').slice(0, -1);
      await writeFile(log, '');
      return lines;
    },
  };
}
