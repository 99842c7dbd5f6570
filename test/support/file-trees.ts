// Trees of files with everything that a file system can say, and an independent eye that compares two of them.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import {
  chmod,
  chown,
  lchown,
  link,
  lutimes,
  mkdir,
  open,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeNode, setAttribute, setTimes } from '../../src/system/index.ts';
import { seededBytes } from './vault.ts';

const execute = promisify(execFile);

export const isRoot = process.geteuid?.() === 0;

/** Our own directory aside, what rsync would change to make `other` what `tree` is: content by checksum, hard links, access lists, attributes, times to the nanosecond. */
export async function differences(
  tree: string,
  other: string,
  times: 'exact' | 'seconds' = 'exact',
): Promise<string[]> {
  const window = times === 'exact' ? '--modify-window=-1' : '--modify-window=0';
  const options = [
    '-aHAXS',
    '--dry-run',
    '--itemize-changes',
    '--delete',
    '--checksum',
    '--exclude=/.holdfast',
    window,
  ];
  const { stdout } = await execute('rsync', [...options, '--devices', '--specials', `${tree}/`, `${other}/`], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const listed = await Promise.all([tree, other].map((directory) => listing(directory, times)));
  const lines = stdout.split('\n').filter((line) => line !== '');
  return listed[0] === listed[1] ? lines : [...lines, `listings differ:\n${listed[0]}\n${listed[1]}`];
}

/** Type, mode, owners, size, time, links and names of everything, by find. */
async function listing(directory: string, times: 'exact' | 'seconds'): Promise<string> {
  const time = times === 'exact' ? '%T@' : '%TY-%Tm-%TdT%TH:%TM';
  const { stdout } = await execute(
    'find',
    ['.', '-path', './.holdfast', '-prune', '-o', '-mindepth', '1', '-printf', `%p|%y|%m|%U|%G|${time}|%l|%n\\n`],
    {
      cwd: directory,
      maxBuffer: 64 * 1024 * 1024,
      encoding: 'latin1',
    },
  );
  return stdout.split('\n').sort().join('\n');
}

/** Odd names, links of both kinds, holes, attributes, lists of access control, pipes, times before 1970. */
export async function makeAwkwardTree(directory: string): Promise<void> {
  const at = (name: string) => join(directory, name);
  await mkdir(at('plain/deep/deeper'), { recursive: true });
  await mkdir(at('empty'));
  await mkdir(at('closed'), { mode: 0o500 });
  await writeFile(at('plain/small'), 'small\n');
  await writeFile(at('plain/nothing'), '');
  await writeFile(at('plain/deep/large'), seededBytes('large', 6 * 1024 * 1024));
  await writeFile(at('plain/deep/deeper/middle'), seededBytes('middle', 300_000));
  await writeFile(at('with space and\nnewline'), 'odd');
  await writeFile(at('line\u2028and\u2029paragraph'), 'ends of lines that are none');
  await writeFile(at('-rf'), 'a name that looks like an option');
  await writeFile(at('äöü 漢字 🐘'), 'text');
  await writeFile(Buffer.concat([Buffer.from(at('not-utf8-')), Buffer.of(0xff, 0xfe, 0x80)]), 'bytes');
  await writeFile(Buffer.concat([Buffer.from(at('not-utf8-')), Buffer.of(0xff, 0xfe, 0x81)]), 'other bytes');
  await mkdir(Buffer.concat([Buffer.from(at('dir-')), Buffer.of(0xc3, 0x28)]));
  await writeFile(Buffer.concat([Buffer.from(at('dir-')), Buffer.of(0xc3, 0x28), Buffer.from('/inside')]), 'in it');
  await symlink('plain/small', at('link'));
  await symlink('/nowhere/at/all', at('dangling'));
  await symlink('..', at('plain/up'));
  await link(at('plain/small'), at('plain/same'));
  await link(at('plain/small'), at('zz-same'));
  await makeHoles(at('holes'));
  makeNode(at('pipe'), 0o010640, 0n);
  setAttribute(at('plain/small'), 'user.colour', Buffer.from('blue'));
  setAttribute(at('plain/deep'), 'user.kind', Buffer.of(0, 1, 255));
  // One more user may read (acl(5)): version 2, then tag, permissions and id of each entry.
  setAttribute(at('plain/deep/large'), 'system.posix_acl_access', accessList(12345));
  await chmod(at('plain/nothing'), 0o4755);
  await chmod(at('empty'), 0o1777);
  await makeLongPath(directory);
  if (isRoot) {
    await chown(at('plain/deep/deeper/middle'), 12_345, 54_321);
    await lchown(at('dangling'), 12_345, 0);
    makeNode(at('device'), 0o020600, 0x0103n);
  }
  await lutimes(at('link'), 1_000_000_000, 1_000_000_000);
  setTimes(at('plain/small'), { atimeNs: 0n, mtimeNs: 1_700_000_001_987_654_321n });
  setTimes(at('plain/deep/large'), { atimeNs: 0n, mtimeNs: -1_500_000_000n });
  await utimes(at('plain/deep'), 1_234_567_890, 1_234_567_890);
}

/** A path of nearly 4,000 bytes: as deep as it gets before a path no longer fits one call. */
async function makeLongPath(directory: string): Promise<void> {
  const name = 'd'.repeat(200);
  let place = join(directory, 'long');
  await mkdir(place);
  while (place.length + name.length < 3_700) {
    place = join(place, name);
    await mkdir(place);
  }
  await writeFile(join(place, 'f'.repeat(100)), 'far down');
}

async function makeHoles(place: string): Promise<void> {
  const file = await open(place, 'w');
  await file.write(Buffer.from('start'), 0, 5, 0);
  await file.write(seededBytes('island', 10_000), 0, 10_000, 3 * 1024 * 1024 + 100);
  await file.close();
  await truncate(place, 9 * 1024 * 1024);
}

function accessList(uid: number): Buffer {
  const entry = (tag: number, permissions: number, id = 0xffffffff) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(permissions, 2);
    bytes.writeUInt32LE(id, 4);
    return bytes;
  };
  const version = Buffer.of(2, 0, 0, 0);
  return Buffer.concat([version, entry(1, 6), entry(2, 4, uid), entry(4, 4), entry(0x10, 4), entry(0x20, 4)]);
}

/** Makes `other` what `tree` is, our own directory aside. */
export async function makeSame(tree: string, other: string): Promise<void> {
  const options = ['-aHAXS', '--devices', '--specials', '--delete', '--checksum', '--exclude=/.holdfast'];
  await execute('rsync', [...options, `${tree}/`, `${other}/`]);
}

/** A copy in every respect. */
export async function copyTree(tree: string, to: string): Promise<string> {
  await execute('cp', ['-a', '--', tree, to]);
  return to;
}

/** Numbers that look random and are the same for the same seed. */
export function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** Changes a tree here and there: content, names, types, links, modes, times, attributes; also makes one out of an empty directory. */
export async function churn(root: string, roll: (sides: number) => number, steps: number): Promise<void> {
  const pick = () =>
    ['a', 'b', 'a/c', 'b/d', 'a/c/e', 'f', 'g-h', 'b/\u{1f418}', 'a\u2028b', 'b/d/x'][roll(10)] as string;
  // Nobody waits for the other end of a pipe.
  const flag = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK;
  const attempts: readonly ((place: string) => Promise<unknown>)[] = [
    (place) => mkdir(place, { recursive: true, mode: 0o700 + roll(64) }),
    (place) =>
      writeFile(place, seededBytes(String(roll(1000)), [0, 10, 5_000, 70_000, 300_000][roll(5)] as number), { flag }),
    (place) => writeFile(place, seededBytes(String(roll(1000)), 40), { flag }),
    (place) => rm(place, { recursive: true }),
    (place) => symlink(pick(), place),
    (place) => link(join(root, pick()), place),
    (place) => rename(place, join(root, pick())),
    (place) => chmod(place, 0o600 + roll(64)),
    async (place) => setTimes(place, { atimeNs: 0n, mtimeNs: BigInt(roll(2 ** 31)) * 1_000_000_007n }),
    async (place) => setAttribute(place, `user.${roll(3)}`, Buffer.from(String(roll(100)))),
    async (place) => makeNode(place, 0o010600, 0n),
  ];
  for (let step = 0; step < steps; step++) {
    const attempt = attempts[roll(attempts.length)] as (place: string) => Promise<unknown>;
    await attempt(join(root, pick())).catch(() => {}); // most of them do not fit what is there
  }
}
