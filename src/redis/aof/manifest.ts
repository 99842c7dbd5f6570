// The manifest of an append-only directory: which base file and which incremental files make up the data (aof.c, aofLoadManifestFromFile).

import { fail } from '../../errors/index.ts';

export interface ManifestFile {
  readonly name: string;
  readonly sequence: number;
  readonly type: 'base' | 'incremental';
}

const types: Readonly<Record<string, ManifestFile['type'] | 'history'>> = { b: 'base', i: 'incremental', h: 'history' };

/** Without what is history, in the order in which it is read. Throws `REDIS_UNFIT` for what is no manifest. */
export function parseManifest(text: string, file: string): readonly ManifestFile[] {
  const files: ManifestFile[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const { file: name, seq, type } = pairsOf(line);
    const kind = types[type ?? ''];
    if (name === undefined || name.includes('/') || !/^\d+$/.test(seq ?? '') || kind === undefined) {
      fail('REDIS_UNFIT', `'${file}' has a line that is not understood: '${line.slice(0, 80)}'`);
    }
    if (kind !== 'history') files.push({ name, sequence: Number(seq), type: kind });
  }
  return files;
}

/** Keys and values in turn; later versions have more of them. Names with spaces are quoted. */
function pairsOf(line: string): Record<string, string> {
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1'),
  );
  const pairs: Record<string, string> = {};
  for (let at = 0; at + 1 < words.length; at += 2) pairs[words[at] as string] = words[at + 1] as string;
  return pairs;
}

export function writeManifest(files: readonly ManifestFile[]): string {
  const lines = files.map(
    ({ name, sequence, type }) => `file "${name}" seq ${sequence} type ${type === 'base' ? 'b' : 'i'}`,
  );
  return `${lines.join('\n')}\n`;
}
