// How people name components and runs on the command line: `database/main`, `database main`, `database` where there is one, a run's id.

import { type ComponentSettings, type Configuration, componentsOf } from '../../config/index.ts';
import { closest } from '../domain/closest.ts';
import { type ComponentId, componentKinds, NAME_PATTERN } from '../domain/component.ts';
import { fail } from '../errors/index.ts';

/** Throws `UNKNOWN_COMPONENT`, with the nearest one as hint. */
export function findComponent(configuration: Configuration, words: readonly string[]): ComponentSettings {
  const { kind, name, typed } = readWords(words);
  const all = componentsOf(configuration);
  if (!componentKinds.some((known) => known === kind)) {
    fail('UNKNOWN_COMPONENT', `'${typed}' is not a component`, { hint: suggestComponents(typed, all) });
  }
  const own = all.filter((each) => each.kind === kind);
  if (own.length === 0) {
    fail('UNKNOWN_COMPONENT', `no component of the kind '${kind}' is configured`, {
      hint: suggestComponents(typed, all),
    });
  }
  if (name === undefined) {
    const [only, ...others] = own;
    if (only !== undefined && others.length === 0) return only;
    fail('UNKNOWN_COMPONENT', `'${kind}' alone names none of several`, {
      hint: `one of: ${own.map(({ id }) => id).join(', ')}`,
    });
  }
  const found = own.find((each) => each.name === name);
  if (found !== undefined) return found;
  return fail('UNKNOWN_COMPONENT', `no component '${kind}/${name}' is configured`, {
    hint: suggestComponents(`${kind}/${name}`, all),
  });
}

/** Those whose name alone was typed; else the one that is nearest as a whole, by its name, or by its kind; and all there are. */
function suggestComponents(typed: string, all: readonly ComponentSettings[]): string {
  const ids = all.map(({ id }) => id);
  const last = typed.split(/[/ ]/).at(-1)?.toLowerCase() ?? '';
  const byName = all.filter(({ name }) => name === last).map(({ id }) => id);
  const nearName = closest(
    last,
    all.map(({ name }) => name),
  );
  const near = closest(typed.replace(' ', '/'), ids) ?? (nearName && all.find(({ name }) => name === nearName)?.id);
  const otherKinds = componentKinds.filter((kind) => kind !== typed);
  const found = byName.length > 0 ? byName : (near ?? closest(typed, otherKinds) ?? []);
  const words = [found].flat().map((each) => `'${each}'`);
  const configured = `configured: ${ids.join(', ')}`;
  return words.length === 0 ? configured : `did you mean ${words.join(' or ')}? ${configured}`;
}

/** Every component, or the one that is named. */
export function findComponents(configuration: Configuration, words: readonly string[]): readonly ComponentSettings[] {
  if (words.length === 0 || (words.length === 1 && words[0] === 'all')) return componentsOf(configuration);
  return [findComponent(configuration, words)];
}

function readWords(words: readonly string[]): { kind: string; name: string | undefined; typed: string } {
  const typed = words.join(' ');
  const [first = '', second, ...more] = words;
  const [kind = '', slashName, ...rest] = first.split('/');
  if (more.length > 0 || rest.length > 0 || (slashName !== undefined && second !== undefined)) {
    fail('USAGE', `expected one component such as 'database/main', got '${typed}'`);
  }
  return { kind, name: slashName ?? second, typed };
}

/** A component that stands for its latest run, or the id of a run or workflow as the client takes it. */
export type RunName =
  | { readonly type: 'component'; readonly component: ComponentId }
  | { readonly type: 'id'; readonly id: string };

const WORKFLOW =
  /^(?:(?:backup|aof|dump|load|incremental|point|ship|restore|rollback|confirm|catch-up|verify)\/|(?:retention|verify)$)/;

export function readRunName(configuration: Configuration, words: readonly string[]): RunName {
  const [first = '', ...more] = words;
  if (componentKinds.some((kind) => first === kind || first.startsWith(`${kind}/`))) {
    return { type: 'component', component: findComponent(configuration, words).id };
  }
  if (more.length > 0) fail('USAGE', `expected one run or component, got '${words.join(' ')}'`);
  if (WORKFLOW.test(first)) return { type: 'id', id: `${configuration.name}/${first}` };
  if (!NAME_PATTERN.test(first) && !first.startsWith(`${configuration.name}/`)) {
    fail('USAGE', `expected a run such as restore-3f9a1c2b, or a component, got '${first}'`);
  }
  return { type: 'id', id: first };
}

/** The option `--from`. Throws `USAGE`. */
export function checkCopy(copy: string | undefined, configuration: Configuration): void {
  const names = Object.keys(configuration.vault.copies);
  if (copy === undefined || names.includes(copy)) return;
  const suggestion = closest(copy, names);
  const hint = suggestion === undefined ? `copies: ${names.join(', ')}` : `did you mean '${suggestion}'?`;
  fail('USAGE', `'--from': no copy '${copy}' is configured`, { hint });
}
