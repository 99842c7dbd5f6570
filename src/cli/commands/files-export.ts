// `files export`: a tree of a snapshot as a plain archive for people who have no Holdfast.

import { z } from 'zod';
import { isCompressed } from '../../domain/archive-name.ts';
import { fail } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { checkCopy } from '../naming.ts';
import { exportedLines } from '../render/files-history.ts';
import { bytesText, counted } from '../render/words.ts';
import { outcome } from '../result.ts';
import { COMPONENT_OF_FILES, filesComponent, onlyPaths, pathFlag } from './files-component.ts';

const input = z.object({
  args: z.array(z.string()),
  to: z.string({ error: "say of when, for example '--to latest'" }),
  output: z.string({ error: "say where to, for example '--output uploads.tar.zst'" }).min(1, { error: 'name a file' }),
  path: onlyPaths,
  pattern: z.array(z.string().min(1, { error: 'expected a pattern' })).optional(),
  from: z.string().optional(),
});

export const filesExport = defineCommand({
  path: 'files export',
  arguments: '[component...]',
  takes: [],
  summary: 'write files of a snapshot into a plain .tar.zst, or .tar, that GNU tar unpacks',
  details: [
    'This host reads the vault by itself, with its keys; no Temporal server is asked. The archive is in the pax format, with times to the nanosecond, owners by name and number, hard links, attributes and access lists; holes are written as zeros. Every file is compared with its SHA-256 on the way.',
    'The file has its name only when all of it was written, synced and read once more; until then it is called FILE.….partial. With - the archive goes to stdout, compressed, and everything else to stderr.',
    'TARGET is a moment (the newest snapshot that was complete by then), latest, or snapshot:ID.',
    COMPONENT_OF_FILES,
  ].join('\n'),
  options: [
    { flags: '--to <TARGET>', description: 'of when' },
    {
      flags: '--output <FILE>',
      description: 'a name that ends in .tar.zst or .tar and is not there yet, or - for stdout',
    },
    pathFlag,
    { flags: '--pattern <PATTERN...>', description: 'only what matches, in the syntax of .gitignore' },
    { flags: '--from <COPY>', description: 'read from this copy: refused where it cannot serve' },
  ],
  examples: [
    'holdfast files export --to latest --output /mnt/usb/uploads.tar.zst',
    'holdfast files export uploads --to 2026-11-22T06:00:00Z --path /srv/uploads/2026 --output 2026.tar',
    "holdfast files export --to latest --pattern '*.pdf' --output - | tar --zstd -tvf -",
  ],
  bytes: ['path', 'pattern'],
  input,
  async run(typed, context) {
    const { id: component } = await filesComponent(context, typed.args);
    const configuration = await context.configuration();
    checkCopy(typed.from, configuration);
    const isStream = typed.output === '-';
    if (isStream) requireFreeStdout(context);
    else isCompressed(typed.output);
    const { openExports } = await import('../../host/files-history.ts');
    const exports = await openExports(configuration, { logger: context.logger });
    const interrupted = new AbortController();
    const release = context.io.onInterrupt(() => interrupted.abort());
    try {
      const exported = await exports.export({
        ...{ component, to: typed.to, signal: interrupted.signal },
        ...(typed.from !== undefined && { from: typed.from }),
        selection: { ...(typed.path && { paths: typed.path }), ...(typed.pattern && { patterns: typed.pattern }) },
        output: isStream ? context.io.stdout : typed.output,
        onProgress: ({ files, bytes }) => context.note(`  ${counted(files, 'file')}, ${bytesText(bytes)}`),
      });
      if (!isStream) return outcome('files exported', { state: 'completed', filesExported: exported });
      for (const line of exportedLines(exported, configuration.timezone)) context.note(line);
      return undefined;
    } finally {
      release();
      await exports.close();
    }
  },
});

function requireFreeStdout({ options, io }: Context): void {
  if (options.json) fail('USAGE', "'--json' prints on stdout, and so does '--output -'", { hint: 'name a file' });
  if ((io.stdout as { readonly isTTY?: boolean }).isTTY) {
    fail('USAGE', "'--output -': an archive does not belong on a terminal", { hint: 'name a file, or a pipe' });
  }
}
