// Takes system calls away from this process, for good, as an old kernel or a filter around a container does (seccomp(2)).

import koffi from 'koffi';

const PR_SET_NO_NEW_PRIVS = 38;
const SET_MODE_FILTER = 1;
/** All threads of the process, not only this one. */
const TSYNC = 1;
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const LOAD_NUMBER = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** seccomp(2) and renameat2(2), which are not the same everywhere; openat2(2), which is. */
const NUMBERS = { x64: { seccomp: 317, renameat2: 316 }, arm64: { seccomp: 277, renameat2: 276 } } as const;
const OPENAT2 = 437;
const ENOSYS = 38;

/** From now on `openat2` and `renameat2` are not there. Throws where the machine is of another kind than the numbers above are for. */
export function forgetNewSystemCalls(): void {
  const numbers = NUMBERS[process.arch as keyof typeof NUMBERS];
  const filter = program([OPENAT2, numbers.renameat2]);
  const head = Buffer.alloc(16);
  head.writeUInt16LE(filter.length / 8, 0);
  head.writeBigUInt64LE(koffi.address(filter), 8);
  const library = koffi.load(null);
  const prctl = library.func('int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)');
  const syscall = library.func(
    'int64_t syscall(int64_t number, uint64_t operation, uint64_t flags, const uint8_t *program)',
  );
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) throw new Error('prctl failed');
  const result = Number(syscall(numbers.seccomp, SET_MODE_FILTER, TSYNC, head));
  if (result !== 0) throw new Error(`seccomp failed: ${result}, errno ${koffi.errno()}`);
}

/** Each instruction: code, two jumps, a constant (linux/filter.h). */
function program(numbers: readonly number[]): Buffer {
  const one = (code: number, ifTrue: number, ifFalse: number, constant: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(ifTrue, 2);
    bytes.writeUInt8(ifFalse, 3);
    bytes.writeUInt32LE(constant >>> 0, 4);
    return bytes;
  };
  const refusals = numbers.flatMap((number) => [one(JUMP_IF_EQUAL, 0, 1, number), one(RETURN, 0, 0, ERRNO | ENOSYS)]);
  return Buffer.concat([one(LOAD_NUMBER, 0, 0, 0), ...refusals, one(RETURN, 0, 0, ALLOW)]);
}
