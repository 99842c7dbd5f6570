// The way to the Temporal server: the same profile file and variables as the `temporal` command, and one error when it cannot be reached.

import { Client, Connection, isGrpcServiceError, ServiceError } from '@temporalio/client';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import type { TemporalSettings } from '../../config/index.ts';
import { HoldfastError, toHoldfastError } from '../errors/index.ts';

export interface ServerAddress {
  readonly options: ClientConnectConfig['connectionOptions'];
  readonly address: string;
  readonly namespace: string;
}

const defaultAddress = 'localhost:7233';
const connectTimeoutMs = 10_000;

/**
 * Profile file and variables by `@temporalio/envconfig`; the configuration's own `address` and `namespace` win. An address of the
 * configuration that the profile does not have is another server: the profile's certificates and key are not shown to it.
 * Throws `CONFIG_INVALID` for a profile that cannot be read.
 */
export function serverAddress(settings: TemporalSettings): ServerAddress {
  const profile = loadProfile(settings.profile);
  const namespace = settings.namespace ?? profile.namespace ?? 'default';
  const known = profile.connectionOptions.address ?? defaultAddress;
  const address = settings.address ?? known;
  const options = address === known ? { ...profile.connectionOptions, address } : { address };
  return { options, address, namespace };
}

function loadProfile(profile: string): ClientConnectConfig {
  try {
    // Asked for by name, a profile must exist; without a name TEMPORAL_PROFILE or the default one is taken if there is any.
    return loadClientConnectConfig(profile === 'default' ? {} : { profile });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('CONFIG_INVALID', `the Temporal profile '${profile}' cannot be used: ${reason}`, {
      hint: `\`temporal env list\` and \`temporal config list\` show the profiles; 'temporal.profile' in the configuration chooses one`,
      cause,
    });
  }
}

export interface Connected {
  readonly client: Client;
  readonly connection: Connection;
  readonly namespace: string;
  readonly address: string;
}

/** Throws `TEMPORAL_UNREACHABLE`. */
export async function connectTemporal(settings: TemporalSettings): Promise<Connected> {
  const { options, address, namespace } = serverAddress(settings);
  try {
    const connection = await Connection.connect({ ...options, connectTimeout: connectTimeoutMs });
    return { client: new Client({ connection, namespace }), connection, namespace, address };
  } catch (cause) {
    throw unreachable(address, cause);
  }
}

export function unreachable(address: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'TEMPORAL_UNREACHABLE',
    `the Temporal server at '${address}' cannot be reached: ${reasonOf(cause)}`,
    {
      hint: `is it running there? \`temporal operator cluster health --address ${address}\` asks it; 'temporal' in the configuration, the profile file and TEMPORAL_ADDRESS say where it is; what can be done without it is in docs/restoration-procedures.md, "Temporal is gone"`,
      cause,
    },
  );
}

function reasonOf(cause: unknown): string {
  if (cause instanceof ServiceError && cause.cause !== undefined) return reasonOf(cause.cause);
  return cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause);
}

/** gRPC codes that mean that the server, or the way to it, is not there now. */
const away = new Set([4, 8, 14]);
/** Refused credentials: `PERMISSION_DENIED`, `UNAUTHENTICATED`. */
const refused = new Set([7, 16]);

/** Runs a call of the client; what goes wrong on the way becomes an error of the catalogue. */
export async function calling<T>(address: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asHoldfastError(address, error);
  }
}

function asHoldfastError(address: string, error: unknown): HoldfastError {
  const grpc = error instanceof ServiceError ? error.cause : error;
  if (isGrpcServiceError(grpc)) {
    if (away.has(grpc.code)) return unreachable(address, grpc);
    if (refused.has(grpc.code)) return unreachable(address, new Error(`it refused us: ${grpc.details}`));
  }
  return toHoldfastError(error);
}
