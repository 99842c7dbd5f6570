// Inputs of workflows, made from the configuration and who asks.

import type { Configuration, DatabaseSettings } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';

export interface OperationInput {
  readonly estate: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly digest: string;
  readonly by: string;
}

/** The fields that every input carries. */
export function operationInput(configuration: Configuration, database: DatabaseSettings, by: string): OperationInput {
  const { name: estate, digest } = configuration;
  return { estate, component: database.id, host: database.host, digest, by };
}
