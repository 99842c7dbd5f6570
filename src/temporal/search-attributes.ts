// The search attributes of a namespace: what workflows set must be registered first, or every one of their tasks fails.

import type { ConnectionLike } from '@temporalio/client';
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { searchAttributes } from '../domain/ids.ts';
import { HoldfastError } from '../errors/index.ts';

/** `INDEXED_VALUE_TYPE_KEYWORD` of the server's API. */
const keyword = 2;

/**
 * What a run is about, from its start on: until a worker takes it nobody else can say, and lists by component would not have it. The workflow says
 * the same of itself.
 */
export function startAttributes(
  operation: string,
  input: { readonly estate: string; readonly component?: string | undefined; readonly copy?: string | undefined },
): SearchAttributePair[] {
  const subject = operation === 'catchUpCopy' ? input.copy : input.component;
  const told = {
    HoldfastEstate: input.estate,
    HoldfastOperation: operation,
    HoldfastComponent: subject ?? 'vault',
    HoldfastState: 'running',
  } satisfies Partial<Record<keyof typeof searchAttributes, string>>;
  return Object.entries(told).map(([name, value]) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value }));
}

/** Registers what is missing and returns its names; `dryRun` only says which. Throws `TEMPORAL_UNREACHABLE` with the commands to run when it is not allowed to. */
export async function registerSearchAttributes(
  connection: Pick<ConnectionLike, 'operatorService'>,
  namespace: string,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<readonly string[]> {
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length === 0 || dryRun) return missing;
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
    });
  } catch (error) {
    const left = await missingSearchAttributes(connection, namespace);
    // Another worker may have been faster.
    if (left.length > 0) throw notAllowed(left, error);
  }
  return missing;
}

async function missingSearchAttributes(
  connection: Pick<ConnectionLike, 'operatorService'>,
  namespace: string,
): Promise<string[]> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return Object.keys(searchAttributes).filter((name) => customAttributes?.[name] === undefined);
  } catch (error) {
    throw notAllowed(Object.keys(searchAttributes), error);
  }
}

function notAllowed(names: readonly string[], cause: unknown): HoldfastError {
  const command = `temporal operator search-attribute create ${names.map((name) => `--name ${name} --type Keyword`).join(' ')}`;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError('TEMPORAL_UNREACHABLE', `search attributes could not be registered: ${reason}`, {
    hint: `run \`${command}\``,
    cause,
  });
}
