// Which component of files is meant, and what its commands have in common.

import { z } from 'zod';
import type { FilesSettings } from '../../../config/index.ts';
import { fail } from '../../errors/index.ts';
import type { Context } from '../context.ts';
import type { CommandOption } from '../define.ts';
import { findComponent } from '../naming.ts';

export const COMPONENT_OF_FILES =
  "COMPONENT is 'files/uploads' or 'uploads'; it can be left out where one component of files is configured.";

export const onlyPaths = z
  .array(z.string().startsWith('/', { error: 'expected an absolute path as it is on the host' }))
  .optional();

export const pathFlag: CommandOption = {
  flags: '--path <PATH...>',
  description: 'only these, each with what is below it; as they are on the host, or as they are printed',
};

/** Throws `UNKNOWN_COMPONENT`, `USAGE`. */
export async function filesComponent(context: Context, words: readonly string[]): Promise<FilesSettings> {
  const configuration = await context.configuration();
  const [first, ...more] = words;
  const isName = first !== undefined && more.length === 0 && !first.includes('/') && first !== 'files';
  const named = first === undefined ? ['files'] : isName ? ['files', first] : words;
  const settings = findComponent(configuration, named);
  if (settings.kind === 'files') return settings;
  return fail('USAGE', `'${settings.id}' is no component of files`, { hint: COMPONENT_OF_FILES });
}
