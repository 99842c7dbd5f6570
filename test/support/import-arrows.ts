// Which part may import which, as docs/architecture.md draws it, and a reader of imports that finds what goes against an arrow.

import path from 'node:path';
import ts from 'typescript';

export interface Import {
  readonly specifier: string;
  /** Nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
  readonly line: number;
}

/** Static and dynamic imports and re-exports of one file. */
export function importsOf(file: string, text: string): Import[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const { line } = source.getLineAndCharacterOfPosition(specifier.getStart());
    found.push({ specifier: specifier.text, typeOnly, line: line + 1 });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeImport(node));
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, isTypeExport(node));
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = importClause;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.length > 0 && namedBindings.elements.every((element) => element.isTypeOnly);
}

function isTypeExport({ isTypeOnly, exportClause }: ts.ExportDeclaration): boolean {
  if (isTypeOnly) return true;
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return false;
  return exportClause.elements.length > 0 && exportClause.elements.every((element) => element.isTypeOnly);
}

/** Parts from the top down: each may import the ones below it. `config`, `domain` and `errors` are below all. */
const engines = ['configuration', 'postgres', 'redis', 'files'];
const belowEngines = ['vault', 'stores', 'kms', 'process', 'system'];
const order = ['cli', 'temporal', 'activities', 'host', ...engines, ...belowEngines];
const ground = ['config', 'domain', 'errors'];

/** For parts that are not in the one line from top to bottom, what they may import beside themselves. */
const own: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  domain: ['errors'],
  config: ['domain', 'errors'],
  workflows: ['domain', 'errors'],
  sandbox: ['temporal', 'postgres', 'redis', 'vault', 'stores', 'process', ...ground],
  // Beside the arrows: the command line starts sandboxes, and the worker is made of workflows and activities.
  cli: ['sandbox', ...order.slice(1), ...ground],
  temporal: ['workflows', ...order.slice(2), ...ground],
  // No engine knows another one.
  ...Object.fromEntries(engines.map((engine) => [engine, [...belowEngines, ...ground]])),
  // But this one: what it captures and gives back are files, with a history beside them.
  configuration: ['files', ...belowEngines, ...ground],
};

/** Packages that only some parts may know. */
const packages: readonly {
  readonly pattern: RegExp;
  readonly parts: readonly string[];
  readonly types?: readonly string[];
}[] = [
  { pattern: /^@aws-sdk\/client-kms$/, parts: ['kms'] },
  { pattern: /^@aws-sdk\/|^@smithy\//, parts: ['stores', 'sandbox'] },
  { pattern: /^pg($|\/)/, parts: ['postgres', 'sandbox'] },
  { pattern: /^(node:)?child_process$/, parts: ['process'] },
  { pattern: /^koffi$/, parts: ['system'] },
  { pattern: /^ignore$/, parts: ['files', 'configuration'] },
  { pattern: /^@temporalio\/workflow$/, parts: ['workflows'] },
  { pattern: /^@temporalio\/activity$/, parts: ['activities'] },
  { pattern: /^@temporalio\/(client|worker|envconfig|proto)$/, parts: ['temporal', 'sandbox'] },
  { pattern: /^@temporalio\/common$/, parts: ['temporal', 'activities', 'workflows'] },
  { pattern: /^commander$/, parts: ['cli'] },
  {
    pattern: /^zod$/,
    parts: ['config', 'cli', 'temporal', 'activities', 'vault', 'postgres', 'host', 'stores', 'sandbox', 'process'],
  },
];

const known = new Set([...order, ...ground, ...Object.keys(own)]);

export function partOf(file: string): string | undefined {
  const [first = '', second = ''] = file.split('/');
  if (['config', 'workflows', 'activities'].includes(first)) return first;
  return first === 'src' ? second : undefined;
}

function mayImport(from: string, to: string, { typeOnly }: Import): boolean {
  if (from === to) return true;
  // A contract of activities is all that workflows know of them; it is types.
  if (from === 'workflows' && to === 'activities') return typeOnly;
  // Types of the engines describe what travels; workflows must not even know those.
  const below = own[from] ?? [...order.slice(order.indexOf(from) + 1), ...ground];
  return below.includes(to);
}

/** A sentence for each import of `file` (path in the repository) that goes against an arrow. */
export function againstArrows(file: string, text: string): string[] {
  const from = partOf(file);
  if (from === undefined || !known.has(from)) return [`${file}: belongs to no part of the architecture`];
  return importsOf(file, text).flatMap((found) => {
    const problem = found.specifier.startsWith('.') ? relativeProblem(file, from, found) : packageProblem(from, found);
    return problem === undefined ? [] : [`${file}:${found.line}: ${problem}`];
  });
}

function relativeProblem(file: string, from: string, found: Import): string | undefined {
  const target = path.posix.join(path.posix.dirname(file), found.specifier);
  if (!target.endsWith('.ts')) return `'${found.specifier}' lacks its extension '.ts'`;
  const to = partOf(target);
  if (to === undefined) return `'${target}' is no part of the architecture`;
  return mayImport(from, to, found) ? undefined : `${from} must not import ${to} ('${target}')`;
}

function packageProblem(from: string, { specifier, typeOnly }: Import): string | undefined {
  const rule = packages.find(({ pattern }) => pattern.test(specifier));
  if (rule !== undefined && !rule.parts.includes(from)) return `${from} must not import '${specifier}'`;
  const pure = from === 'workflows' || from === 'domain' || from === 'errors';
  const isWorkflowPackage = from === 'workflows' && /^@temporalio\/(workflow|common)$/.test(specifier);
  if (pure && !typeOnly && !isWorkflowPackage) return `${from} must not import '${specifier}': it is pure`;
  return undefined;
}
