// The Python that measures and that runs borg: the interpreter itself, never a shell script that chooses one.
import { installPackages } from '../../scripts/set-up/debian-packages.mjs';
import { run } from '../../scripts/set-up/run.mjs';

export async function findPython() {
  const ask = () => run('python3', ['-c', 'import sys, platform; print(sys.executable, platform.python_version())']);
  let answer = await ask();
  if (!answer.ok) {
    await installPackages(['python3', 'python3-pip'], 'Python 3 is missing');
    answer = await ask();
  }
  const [program, version] = answer.stdout.trim().split(' ');
  return { argv: [program], env: {}, version, source: 'distribution' };
}
