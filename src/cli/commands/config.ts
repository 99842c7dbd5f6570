// `config`: whether the file says what is expected, and what it comes to with every default filled in.

import { z } from 'zod';
import { defineCommand } from '../define.ts';
import { outcome } from '../result.ts';
import { noArguments } from './typed.ts';

export const configCheck = defineCommand({
  path: 'config check',
  arguments: '',
  takes: [],
  summary: 'check the configuration file; tell every problem with line and column',
  details: 'Touches nothing and asks no server. Warnings do not change the exit status.',
  examples: ['holdfast config check', 'holdfast -c /etc/holdfast/holdfast.yaml config check --json'],
  input: z.object({ args: noArguments }),
  async run(_, context) {
    const { configuration, warnings } = await context.loaded();
    const message = `${configuration.path}: ok`;
    const { name, path, digest } = configuration;
    return outcome('configuration', {
      state: 'completed',
      message,
      estate: name,
      configuration: { path, digest },
      warnings,
    });
  },
});

export const configShow = defineCommand({
  path: 'config show',
  arguments: '',
  takes: [],
  summary: 'show the effective configuration with every default; secrets stay references',
  examples: ['holdfast config show', 'holdfast config show --json'],
  input: z.object({ args: noArguments }),
  async run(_, context) {
    const { configuration, warnings } = await context.loaded();
    return outcome('configuration', { state: 'completed', configuration, warnings });
  },
});
