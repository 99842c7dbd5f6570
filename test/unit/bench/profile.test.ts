// What `perf report` prints, by what it means.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { profile, readProfile } from '../../../bench/lib/profile.ts';

const own = `# Samples: 10K of event 'cpu-clock:ppp'
# Event count (approx.): 10500000000
#
# Overhead  Symbol                             IPC   [IPC Coverage]
    30.00%  [.] ZSTD_decompressSequences_bmi2   -      -
    10.00%  [.] HUF_decompress4X2               -      -
    20.00%  [.] sha256_block_data_order_shaext
     5.00%  [.] Builtins_LoadIC
     4.50%  [.] v8::internal::MarkCompactCollector::CollectGarbage()
     0.60%  [.] uv__io_poll
    20.00%  [k] copy_folio_from_iter_atomic
    10.00%  [k] ext4_create
`;
const below = `# Event count (approx.): 10500000000
    70.00%    30.00%  [.] ZSTD_decompressSequences_bmi2   -      -
    30.00%     0.00%  [k] do_syscall_64
    12.00%     0.00%  [k] __x64_sys_pwrite64              -      -
     9.00%     0.00%  [k] __x64_sys_openat
     2.00%     0.00%  [k] __x64_sys_renameat2
     3.00%     0.00%  [k] asm_exc_page_fault
     3.00%     1.00%  [k] exc_page_fault
     0.50%     0.00%  [k] __x64_sys_getpid
`;

describe('a profile', () => {
  test('tells the program by what its code does and the kernel by the call, everything once', () => {
    const { cpuS, parts } = readProfile(own, below);
    assert.equal(cpuS, 10.5);
    assert.deepEqual(
      parts.map(({ name, share }) => `${name} ${(share * 100).toFixed(0)}`),
      [
        'compression 40',
        'SHA-256 20',
        'writing files 12',
        'making, naming and opening files 11',
        'JavaScript 5',
        'garbage collection 5',
        'the rest of the kernel 4',
        'touching memory for the first time 3',
        'the rest of Node 1',
      ],
    );
  });

  test('tells of other programs the whole alone, by their names', () => {
    const ownByProgram = `# Event count (approx.): 1000000000
    40.00%  redis-check-rdb  [.] 0x0000000000012345
     5.00%  redis-check-rdb  [k] copy_page
    30.00%  node             [.] ZSTD_compress
    15.00%  libuv worker     [.] sha256_block
    10.00%  node             [k] ext4_create
`;
    const belowByProgram = `
    45.00%    40.00%  redis-check-rdb  [.] 0x0000000000012345
     5.00%     0.00%  redis-check-rdb  [k] __x64_sys_read
     8.00%     0.00%  node             [k] __x64_sys_openat
`;
    const { parts } = readProfile(ownByProgram, belowByProgram, ['redis-check-rdb']);
    assert.deepEqual(
      parts.map(({ name, share }) => `${name} ${(share * 100).toFixed(0)}`),
      [
        'redis-check-rdb 45',
        'compression 30',
        'SHA-256 15',
        'making, naming and opening files 8',
        'the rest of the kernel 2',
      ],
    );
  });

  test('is none where the kernel does not let anybody look', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-profile-'));
    try {
      const command = { argv: ['true'], cwd: folder, env: {} };
      assert.equal(await profile('/bin/false', command, path.join(folder, 'scratch')), undefined);
      assert.deepEqual(await readdir(folder), []);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
