// The command that a person is told to bring a tree back with: it must never delete what it knows nothing of.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pushCommand } from '../../../src/files/index.ts';

const remote = {
  ssh: 'backup@www1',
  keyFile: '/etc/my key',
  knownHosts: '/etc/known',
  rsync: 'sudo rsync',
  silenceSeconds: 60,
};
const given = { directory: '/srv/back', roots: ['/srv/www', '/etc/nginx'] };

test('takes along what came back, looks first, and deletes nothing', () => {
  const all = pushCommand(remote, { ...given, selection: {} });
  assert.match(all, / --dry-run .* \/srv\/back\/\.\/srv\/www \/srv\/back\/\.\/etc\/nginx backup@www1:\/$/);
  const part = pushCommand(remote, { ...given, selection: { paths: ['/srv/www/shop'] } });
  assert.match(part, / --dry-run .* \/srv\/back\/\.\/srv\/www\/shop backup@www1:\/$/);
  const pattern = pushCommand(remote, { ...given, selection: { paths: ['/srv/www/shop'], patterns: ['*.php'] } });
  for (const command of [all, part, pattern]) assert.doesNotMatch(command, /--delete/);
  assert.match(pattern, / --dry-run .* \/srv\/back\/\.\/srv\/www \/srv\/back\/\.\/etc\/nginx backup@www1:\/$/);
});

test('is one line for a shell, whatever stands in a path', () => {
  const odd = pushCommand(remote, { directory: "/srv/it's here", roots: ['/srv/a b'], selection: {} });
  assert.ok(odd.includes(`'/srv/it'\\''s here/./srv/a b'`), odd);
  assert.match(odd, /'--rsh=ssh -F none -i "\/etc\/my key" -p 22 /);
  assert.match(odd, / '--rsync-path=sudo rsync' /);
  const paths = ["/srv/a/caf\udce9'1", '/srv/a/new\nline'];
  const bytes = pushCommand(remote, { directory: '/srv/back', roots: ['/srv/a'], selection: { paths } });
  assert.ok(bytes.includes(String.raw` $'/srv/back/./srv/a/caf\351\0471' $'/srv/back/./srv/a/new\012line' `), bytes);
});
