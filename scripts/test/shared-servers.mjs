// The servers that all tests of one run share: started before the first test, ended with the run, also when it is killed.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * @param {string} node @param {string} root the repository @param {string} runDirectory for their data and logs
 * @returns {Promise<{ env: Record<string, string>, stop: () => Promise<void> }>}
 */
export async function startSharedServers(node, root, runDirectory) {
  // The keeper stops its servers when its stdin ends, so they cannot outlive this process.
  const keeper = spawn(node, ['test/support/shared-servers.ts', runDirectory], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => keeper.once('close', resolve));
  const stop = async () => {
    keeper.stdin.end();
    await ended;
  };
  for await (const line of createInterface({ input: keeper.stdout })) return { env: JSON.parse(line), stop };
  await ended;
  throw new Error('the servers that the tests share did not start');
}
