// Holdfast's vault on one directory, by the driver beside it, compiled as a package is.

import { run } from '../../../src/process/index.ts';
import { quoted, shell } from '../../lib/command.ts';
import { compileHoldfast, describeHoldfast } from '../../lib/holdfast.ts';
import type { Contender, Place, Work } from '../contender.ts';

const operations: Readonly<Record<Work, string>> = {
  first: 'backup',
  unchanged: 'backup',
  changed: 'backup',
  restore: 'restore',
  check: 'check',
};

export async function holdfast(): Promise<Contender> {
  const driver = await compileHoldfast('vault');
  const argv = (operation: string, place: Place) => [
    ...[...driver, operation, '--copy', place.repository],
    ...['--key', `${place.home}/key`, '--source', place.source, '--target', place.target],
  ];
  const script = (work: Work, place: Place) => {
    const command = quoted(argv(operations[work], place));
    // It syncs what it stores by itself, but a restored file as little as the others do.
    return work === 'restore' ? `${command}; sync -f ${quoted([place.target])}` : command;
  };
  return {
    name: 'holdfast',
    version: await describeHoldfast(),
    options: 'zstd 3, AES-256-GCM, one copy in a directory, every object synced before the manifest names it',
    async prepare(place) {
      const [program, ...args] = argv('init', place);
      await run(program as string, args);
    },
    command: (work, place) => ({ argv: shell(script(work, place)), cwd: place.source, env: {} }),
  };
}
