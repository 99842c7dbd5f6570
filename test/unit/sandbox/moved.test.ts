// A sandbox in another directory than the one it was made in is not believed: what it names is somebody else's.

import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { start } from '../../../src/process/index.ts';
import { sandboxDown, sandboxUp } from '../../../src/sandbox/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('a sandbox that was moved or copied is neither started nor stopped, and nothing of the original is touched', async (t) => {
  const parent = await temporaryDirectory(t);
  const [original, copy] = [path.join(parent, 'original'), path.join(parent, 'copy')];
  const server = await start('sleep', ['600']);
  t.after(() => server.stop().then(() => undefined));
  const sandbox = { state: 'ready', directory: original, configuration: 'x', pids: { temporal: server.identity } };
  const text = JSON.stringify(sandbox);
  for (const dir of [original, copy]) {
    await mkdir(dir);
    await writeFile(path.join(dir, 'sandbox.json'), text);
  }
  for (const act of [sandboxUp, sandboxDown]) {
    await assert.rejects(act({ dir: copy }), (error) => {
      assert.ok(isHoldfastError(error, 'TARGET_UNFIT'));
      assert.equal(error.message, `the sandbox in '${copy}' was made in '${original}'`);
      return error.hint.includes(`only in '${original}' again`);
    });
  }
  for (const dir of [original, copy]) assert.equal(await readFile(path.join(dir, 'sandbox.json'), 'utf8'), text);

  const link = path.join(parent, 'link');
  await symlink(original, link);
  assert.deepEqual(
    (await sandboxDown({ dir: link })).stopped.map(({ pid }) => pid),
    [server.pid],
  );
});
