// The arrows of docs/architecture.md: every import of every file goes down, never up or aside.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { againstArrows, importsOf, partOf } from '../support/import-arrows.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

async function sourceFiles(): Promise<string[]> {
  const folders = ['src', 'config', 'workflows', 'activities'];
  const names = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(path.join(root, folder), { recursive: true })).map((name) => `${folder}/${name}`),
    ),
  );
  return names.flat().filter((name) => name.endsWith('.ts'));
}

test('no import goes against an arrow', async () => {
  const files = await sourceFiles();
  assert.ok(files.length > 50, `only ${files.length} files were found`);
  const problems = await Promise.all(
    files.map(async (file) => againstArrows(file, await readFile(path.join(root, file), 'utf8'))),
  );
  assert.deepEqual(problems.flat(), []);
});

test('every part of the architecture has its row in the documentation', async () => {
  const page = await readFile(path.join(root, 'docs/architecture.md'), 'utf8');
  const parts = new Set(
    (await sourceFiles()).map((file) => (file.startsWith('src/') ? `src/${partOf(file)}` : partOf(file))),
  );
  for (const part of parts) assert.ok(page.includes(`| \`${part}\` |`), `no row for '${part}'`);
});

test('every file opens with a sentence that says what it is', async () => {
  const files = await sourceFiles();
  const silent: string[] = [];
  for (const file of files) {
    const [first = '', second = ''] = (await readFile(path.join(root, file), 'utf8')).split('\n');
    const opening = first.startsWith('#!') ? second : first;
    if (!/^\/\/ \S.*/.test(opening) && !/^\/\*\*/.test(opening)) silent.push(file);
  }
  assert.deepEqual(silent, []);
});

describe('the reader of imports', () => {
  test('sees every form of import with its line and whether anything is left of it', () => {
    const text = [
      "import a, { type B } from './a.ts';",
      "import type { C } from './c.ts';",
      "import { type D, type E } from './d.ts';",
      "import './side-effect.ts';",
      "export { f } from './f.ts';",
      "export type { G } from './g.ts';",
      "export * from './h.ts';",
      "const i = await import('./i.ts');",
      "type J = import('./j.ts').J;",
      "import * as k from './k.ts';",
      "// import './comment.ts';",
    ].join('\n');
    const seen = importsOf('x.ts', text).map(
      ({ specifier, typeOnly, line }) => `${line} ${specifier}${typeOnly ? ' type' : ''}`,
    );
    assert.deepEqual(seen, [
      '1 ./a.ts',
      '2 ./c.ts type',
      '3 ./d.ts type',
      '4 ./side-effect.ts',
      '5 ./f.ts',
      '6 ./g.ts type',
      '7 ./h.ts',
      '8 ./i.ts',
      '9 ./j.ts type',
      '10 ./k.ts',
    ]);
  });

  for (const [what, file, text] of [
    ['a workflow that does I/O', 'workflows/x.ts', "import { readFile } from 'node:fs/promises';"],
    [
      'a workflow that runs an activity in its own isolate',
      'workflows/x.ts',
      "import { make } from '../activities/database.ts';",
    ],
    [
      'a workflow that imports an engine, even as types',
      'workflows/lib/x.ts',
      "import type { RestorePlan } from '../../src/postgres/types.ts';",
    ],
    ['a workflow with zod', 'workflows/x.ts', "import { z } from 'zod';"],
    [
      'a domain that knows the configuration',
      'src/domain/x.ts',
      "import type { Configuration } from '../../config/types.ts';",
    ],
    ['a vault that knows PostgreSQL', 'src/vault/x.ts', "import type { Source } from '../postgres/types.ts';"],
    ['a store that knows the vault', 'src/stores/x.ts', "import type { Vault } from '../vault/types.ts';"],
    ['an engine that knows another one', 'src/files/x.ts', "import type { Source } from '../postgres/types.ts';"],
    ['an engine that knows Temporal', 'src/postgres/x.ts', "import { heartbeat } from '@temporalio/activity';"],
    ['an engine that knows the command line', 'src/postgres/x.ts', "import { table } from '../cli/render/words.ts';"],
    ['S3 outside the stores', 'src/vault/x.ts', "const { S3Client } = await import('@aws-sdk/client-s3');"],
    ['pg outside the engine', 'src/host/x.ts', "import pg from 'pg';"],
    ['a child process outside its layer', 'src/postgres/x.ts', "import { spawn } from 'node:child_process';"],
    ['a child process by its old name', 'src/sandbox/x.ts', "import { spawn } from 'child_process';"],
    ['an import without extension', 'src/vault/x.ts', "import { a } from './a';"],
    ['a product that imports a test', 'src/vault/x.ts', "import { a } from '../../test/support/a.ts';"],
    [
      'a new folder nobody drew',
      'src/misc/x.ts',
      "import { fail } from '../errors/index.ts';\nimport '../cli/main.ts';",
    ],
  ] as const) {
    test(`rejects ${what}`, () => {
      assert.ok(againstArrows(file, text).length > 0);
    });
  }

  test('accepts what the picture allows', () => {
    for (const [file, text] of [
      [
        'workflows/x.ts',
        "import { proxyActivities } from '@temporalio/workflow';\nimport type { A } from '../activities/contract.ts';",
      ],
      ['src/cli/commands/x.ts', "import { z } from 'zod';\nconst { up } = await import('../../sandbox/index.ts');"],
      ['src/postgres/a/x.ts', "import { run } from '../../process/index.ts';\nimport pg from 'pg';"],
      [
        'activities/x.ts',
        "import { heartbeat } from '@temporalio/activity';\nimport { a } from '../src/host/service.ts';",
      ],
      ['src/domain/x.ts', "import { fail } from '../errors/index.ts';"],
    ] as const) {
      assert.deepEqual(againstArrows(file, text), []);
    }
  });
});
