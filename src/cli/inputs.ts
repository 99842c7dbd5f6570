// Inputs of workflows, made from the configuration and who asks.

import type { ComponentSettings, Configuration } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';

export interface OperationInput {
  readonly estate: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly digest: string;
  readonly by: string;
}

/** The fields that every input carries. */
export function operationInput(
  configuration: Configuration,
  { id: component, host }: ComponentSettings,
  by: string,
): OperationInput {
  const { name: estate, digest } = configuration;
  return { estate, component, host, digest, by };
}
