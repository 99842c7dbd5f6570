// Finds, reads and checks the configuration file; tells all that is wrong at once, each place with line and column.

import { access, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Document, isAlias, LineCounter, parseAllDocuments, visit } from 'yaml';
import type { z } from 'zod';
import { closest } from '../src/domain/closest.ts';
import { fail } from '../src/errors/index.ts';
import { crossCheck } from './cross-checks.ts';
import { makeEffective } from './effective.ts';
import { type Position, type Positions, positionsOf } from './positions.ts';
import { type Problem, showValue, unknownKeyMessage, writePath } from './problems.ts';
import { schema } from './schema.ts';
import type { Configuration } from './types.ts';
import { warningsOf } from './warnings.ts';

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly warnings: readonly string[];
}

const DEFAULT_FILE = 'holdfast.yaml';

/**
 * Reads `file`, else the file that `HOLDFAST_CONFIG` names, else `./holdfast.yaml`. Throws `CONFIG_NOT_FOUND`, or `CONFIG_INVALID`
 * whose `details.problems` is a list of `Problem`.
 */
export async function loadConfiguration(file?: string): Promise<LoadedConfiguration> {
  const found = path.resolve(file ?? (process.env.HOLDFAST_CONFIG || DEFAULT_FILE));
  let text: string;
  try {
    text = await readFile(found, 'utf8');
  } catch (cause) {
    return refuseUnread(found, cause as NodeJS.ErrnoException);
  }
  const configuration = parseConfiguration(text, found);
  return { configuration, warnings: await warningsOf(configuration) };
}

/** What was expected at the path, and the file that was most likely meant. */
async function refuseUnread(file: string, cause: NodeJS.ErrnoException): Promise<never> {
  const { code = 'unknown error' } = cause;
  const name = (hint: string | undefined) => (hint === undefined ? { cause } : { cause, hint });
  if (code === 'EISDIR') {
    const inside = path.join(file, DEFAULT_FILE);
    const isThere = await access(inside).then(
      () => true,
      () => false,
    );
    const hint = isThere
      ? `name the file: \`-c ${inside}\``
      : `there is no '${DEFAULT_FILE}' in it; name a file with \`-c\``;
    return fail('CONFIG_NOT_FOUND', `'${file}' is a directory, expected a configuration file`, name(hint));
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return fail('CONFIG_NOT_FOUND', `there is no configuration file '${file}'`, name(await nearby(file)));
  }
  if (code === 'EACCES' || code === 'EPERM') {
    const hint =
      'run this as a user who may read it, or let this one: see `ls -l` of the file and `ls -ld` of its directory';
    return fail(
      'CONFIG_NOT_FOUND',
      `user '${os.userInfo().username}' may not read the configuration '${file}'`,
      name(hint),
    );
  }
  return fail('CONFIG_NOT_FOUND', `cannot read the configuration '${file}' (${code})`, { cause });
}

/** A hint at a file of a similar name beside the one that is missing. */
async function nearby(file: string): Promise<string | undefined> {
  const names = await readdir(path.dirname(file)).catch((): string[] => []);
  const suggestion = closest(
    path.basename(file),
    names.filter((each) => /\.ya?ml$/.test(each)),
  );
  return suggestion === undefined ? undefined : `did you mean '${path.join(path.dirname(file), suggestion)}'?`;
}

/** The same for a text; `file` is the absolute path that relative paths and messages refer to. Throws `CONFIG_INVALID`. */
export function parseConfiguration(text: string, file: string): Configuration {
  const lines = new LineCounter();
  // Pretty errors would quote the source, which may hold a secret.
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const [document] = documents;
  if (document === undefined || documents.length !== 1 || document.contents === null) {
    const problem = makeProblem(
      file,
      { line: 1, column: 1 },
      [],
      'expected exactly one YAML document that is not empty',
    );
    return refuse(file, [problem]);
  }
  const problems = [...syntaxProblems(document, positionsOf(document, lines), file)];
  if (problems.length > 0) return refuse(file, problems);
  return checkDocument(document, positionsOf(document, lines), file);
}

function checkDocument(document: Document.Parsed, positions: Positions, file: string): Configuration {
  const raw = readValue(document, file);
  const result = schema.safeParse(raw);
  const schemaProblems = (result.error?.issues ?? []).flatMap((issue) => issueProblems(issue, raw, positions, file));
  const problems = [...schemaProblems, ...crossProblems(raw, positions, file)].sort(inFileOrder);
  if (result.data === undefined || problems.length > 0) return refuse(file, problems);
  return makeEffective(result.data, file);
}

function readValue(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS();
  } catch {
    // The parser's own bound on what aliases may grow to.
    return refuse(file, [makeProblem(file, { line: 1, column: 1 }, [], 'the aliases in this file cannot be followed')]);
  }
}

function inFileOrder(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column;
}

function refuse(file: string, problems: readonly Problem[]): never {
  const texts = problems.map((problem) => problem.text);
  const message = texts.length === 1 ? texts[0] : `${texts.length} problems in '${file}'\n${texts.join('\n')}`;
  return fail('CONFIG_INVALID', message ?? '', {
    details: { problems: problems.map(({ text: _, ...problem }) => problem) },
  });
}

function makeProblem(
  file: string,
  position: Position,
  keys: readonly PropertyKey[],
  message: string,
  value?: string,
): Problem {
  const where = `${file}:${position.line}:${position.column}`;
  const place = writePath(keys);
  const subject = [place, value].filter((part) => part !== undefined && part !== '').join(': ');
  const text = `${where}: ${[subject, message].filter((part) => part !== '').join(', ')}`;
  return { file, ...position, path: place, message, text, ...(value === undefined ? {} : { value }) };
}

const SYNTAX: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key stands in the same mapping twice',
  TAB_AS_INDENT: 'a tab cannot indent YAML, expected spaces',
  BAD_INDENT: 'the indentation is wrong, or a bracket or quote above is not closed',
};

function syntaxProblems(document: Document.Parsed, positions: Positions, file: string): Problem[] {
  const found = [...document.errors, ...document.warnings].map((error) => {
    const what = SYNTAX[error.code] ?? `this is not YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`;
    return makeProblem(file, positions.at(error.pos[0]), [], what);
  });
  visit(document, {
    Alias: (_, node) => {
      if (isAlias(node) && node.resolve(document) === undefined) {
        found.push(makeProblem(file, positions.at(node.range?.[0] ?? 0), [], 'this alias refers to nothing'));
      }
    },
  });
  return found.sort(inFileOrder);
}

function issueProblems(issue: z.core.$ZodIssue, raw: unknown, positions: Positions, file: string): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    return issue.keys.map((key) =>
      makeProblem(file, positions.key([...issue.path, key]), issue.path, unknownKeyMessage(key, known)),
    );
  }
  if (issue.code === 'invalid_key') {
    const expected = `expected ${issue.issues[0]?.message ?? 'another key'}`;
    return [makeProblem(file, positions.key(issue.path), issue.path, expected)];
  }
  const value = valueAt(raw, issue.path);
  const message = value === undefined ? `missing, expected ${issue.message}` : `expected ${issue.message}`;
  const shown = value === undefined ? undefined : showValue(issue.path, value);
  return [makeProblem(file, positions.value(issue.path), issue.path, message, shown)];
}

function crossProblems(raw: unknown, positions: Positions, file: string): Problem[] {
  return crossCheck(raw).map(({ path: keys, about, message }) => {
    const position = about === 'key' ? positions.key(keys) : positions.value(keys);
    const value = about === 'key' ? undefined : showValue(keys, valueAt(raw, keys));
    return makeProblem(file, position, keys, message, value);
  });
}

function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of keys) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}

/** Keys that the schema knows at a place. */
function knownKeys(keys: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const key of keys) current = child(unwrap(current), key);
  const shape = (unwrap(current) as { shape?: object } | undefined)?.shape;
  return Object.keys(shape ?? {});
}

type Wrapper = { readonly def?: { readonly innerType?: unknown; readonly options?: readonly unknown[] } } | undefined;

/** Defaults and optional values are wrappers around what they hold; of several forms the mapping is the one that has keys. */
function unwrap(value: unknown): unknown {
  let current = value as Wrapper;
  while (current?.def?.innerType !== undefined) current = current.def.innerType as Wrapper;
  const mapping = current?.def?.options?.find((option) => (option as { shape?: object }).shape !== undefined);
  return mapping ?? current;
}

function child(value: unknown, key: PropertyKey): unknown {
  const { shape, def } = value as {
    shape?: Record<PropertyKey, unknown>;
    def?: { valueType?: unknown; element?: unknown };
  };
  return shape?.[key] ?? def?.valueType ?? def?.element;
}
