// What an append-only server is to read is the RDB that comes in, also when an attempt before had another one.

import assert from 'node:assert/strict';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { writeAppendOnly } from '../../../src/redis/restore/stage.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('the base of append-only files is the RDB beside them, also where an earlier attempt was killed that had made another one', async (t) => {
  const directory = await temporaryDirectory(t);
  const names = { rdbFile: 'dump.rdb', appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' };
  const owner = await stat(directory);
  const rdb = path.join(directory, 'dump.rdb');
  await writeFile(rdb, 'of the first attempt');
  await writeAppendOnly(directory, names, owner);
  await writeFile(`${rdb}.part`, 'of the second, with other keys over');
  await rename(`${rdb}.part`, rdb);
  await writeAppendOnly(directory, names, owner);
  const base = path.join(directory, 'appendonlydir', 'appendonly.aof.1.base.rdb');
  assert.equal(await readFile(base, 'utf8'), 'of the second, with other keys over');
  assert.equal((await stat(base)).ino, (await stat(rdb)).ino);
});
