// Makes docs/configuration.md from the schema's own descriptions and defaults.

import { z } from 'zod';
import { schema } from '../../config/schema.ts';

interface Described {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly defaultText?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Described | boolean;
  readonly items?: Described;
}

export function renderConfiguration(example: string): string {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Described;
  return [
    '# Configuration',
    '',
    '<!-- Made by `node scripts/docs.mjs` from config/schema.ts; a test holds both together. -->',
    '',
    'One YAML file describes an estate: named by `-c FILE`, by `HOLDFAST_CONFIG`, or `./holdfast.yaml`. `holdfast config check` tells every problem at',
    'once as `file:line:column`, `holdfast config show` prints what the file comes to with every default. A key that is not listed here is an error.',
    '',
    '- **Durations**: `30s`, `15min`, `6h`, `90d`. **Schedules**: `daily HH:MM`, `weekly DAY HH:MM`, `every DURATION`, in the time zone of the estate.',
    '- **References** to secrets: `env:NAME` (a variable of the process that uses it) or `file:PATH` (one newline at its end is dropped). A secret itself is refused.',
    '- **Names**: small letters, digits and hyphens. **Paths** that are relative are relative to the directory of the file.',
    '',
    '## Keys',
    '',
    ...sections('', root),
    '## Example',
    '',
    '```yaml',
    example.trimEnd(),
    '```',
    '',
  ].join('\n');
}

/** A table for the keys of this mapping, then the same for every mapping below. */
function sections(path: string, node: Described): string[] {
  const properties = Object.entries(node.properties ?? {});
  if (properties.length === 0) return [];
  const rows = properties.map(([key, value]) => {
    const cells = [`\`${key}\``, typeText(value), defaultText(key, value, node), value.description ?? ''];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  const title = path === '' ? '### The file' : `### \`${path}\``;
  const below = properties.flatMap(([key, value]) => sections(...below1(path === '' ? key : `${path}.${key}`, value)));
  return [title, '', '| key | value | default | meaning |', '|---|---|---|---|', ...rows, '', ...below];
}

/** Where the keys of a value are: in itself, in each named entry, or in each item. */
function below1(path: string, value: Described): [string, Described] {
  if (typeof value.additionalProperties === 'object') return [`${path}.NAME`, value.additionalProperties];
  if (value.items?.properties) return [`${path}[]`, value.items];
  return [path, value];
}

function typeText(value: Described): string {
  if (value.enum) return value.enum.map((one) => `\`${String(one)}\``).join(', ');
  if (typeof value.additionalProperties === 'object') return 'names to mappings';
  if (value.items) return value.items.properties ? 'list of mappings' : 'list';
  const names: Readonly<Record<string, string>> = { object: 'mapping', string: 'text', boolean: '`true`, `false`' };
  const type = String(value.type);
  return names[type] ?? type;
}

function defaultText(key: string, value: Described, parent: Described): string {
  if (value.defaultText !== undefined) return value.defaultText;
  if (parent.required?.includes(key)) return '**required**';
  const given = value.default;
  if (given === undefined || (typeof given === 'object' && given !== null && Object.keys(given).length === 0))
    return '';
  return `\`${String(given)}\``;
}
