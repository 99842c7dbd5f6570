// Names that a commit must not have: those to which Git gives a meaning, however they are written.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { unfitForGit } from '../../../src/configuration/repository/names-of-git.ts';

it('names that Git would take for its own are left out of a commit, and no others', () => {
  const refused = [
    '.git',
    '.GIT/config',
    'a/.git/x',
    'GIT~1',
    '.git ',
    '.git. .',
    '.git::$INDEX_ALLOCATION',
    'a\\.git',
  ];
  refused.push('gi~12345', 'G~123456', 'a/~1234567');
  refused.push('.g\u200cit', '.gitmodules', 'a/.gitmodules ', 'GITMOD~2', 'gi7eba~1', 'a//b', '..', '.');
  for (const name of refused) assert.equal(unfitForGit(name), 'name that Git cannot hold', JSON.stringify(name));
  for (const name of ['.gitattributes', 'a/.GitAttributes', '.gitattributes:x', 'gitatt~1']) {
    assert.equal(unfitForGit(name), 'name that Git obeys', name);
  }
  for (const name of [
    'etc/.gitignore',
    'etc/gitconfig',
    '-rf',
    'a.git',
    'g~1',
    'a~123456',
    '.github/x',
    'a\nb',
    'a b',
    'etc/.gitfoo',
  ]) {
    assert.equal(unfitForGit(name), undefined, name);
  }
});
