// AWS KMS as a key service: GenerateDataKey and Decrypt, each bound to an encryption context and to the configured key.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import { RunningTimer } from '../system/index.ts';
import type { DataKey, DataKeys, EncryptionContext } from './data-keys.ts';

export interface AwsKmsOptions {
  /** Id, ARN or alias; with an alias the key it stands for now. */
  readonly keyId: string;
  readonly region: string;
  /** Of another provider than AWS. */
  readonly endpoint?: string;
  /** Resolved at every call; default: the SDK's usual chain. */
  readonly credentials?: () => Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }>;
  /** For one call with its second attempt; default 8,000. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 8_000;
const CONNECTION_TIMEOUT_MS = 3_000;
const DATA_KEY_BYTES = 32;
/** One more attempt, for what a busy service answers; whoever waits for a key has other keys to try. */
const ATTEMPTS = 2;
const PAUSE_MS = 200;

/** The ciphertext does not belong to this key and context: for us the same as a wrong key file. */
const FOREIGN = new Set(['InvalidCiphertextException', 'IncorrectKeyException']);
/** Busy, or slow behind its door; everything else that it answers will be the same the next time. */
const TRANSIENT = new Set(['ThrottlingException', 'RequestTimeoutException', 'RequestLimitExceeded', 'TimeoutError']);

interface Failure {
  readonly name?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

export class AwsKms implements DataKeys {
  readonly location: string;
  readonly #options: AwsKmsOptions;

  constructor(options: AwsKmsOptions) {
    const { keyId, region, endpoint } = options;
    this.location = `AWS KMS key '${keyId}' in ${region}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
    this.#options = options;
  }

  async generate(context: EncryptionContext): Promise<DataKey> {
    const KeyId = this.#options.keyId;
    const answer = await this.#call('making a data key', (client, abortSignal) =>
      client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext: { ...context } }), {
        abortSignal,
      }),
    );
    const { Plaintext, CiphertextBlob, KeyId: keyId = KeyId } = answer;
    if (!CiphertextBlob) return this.#odd('gave a data key without ciphertext');
    return { plain: this.#plain(Plaintext), ciphertext: Buffer.from(CiphertextBlob), keyId };
  }

  async unwrap(ciphertext: Uint8Array, context: EncryptionContext): Promise<Buffer | undefined> {
    try {
      // Without the key's name the service would open a ciphertext of any key that we may use, also of somebody else's.
      const { keyId: KeyId } = this.#options;
      const answer = await this.#call('opening a data key', (client, abortSignal) =>
        client.send(new DecryptCommand({ KeyId, CiphertextBlob: ciphertext, EncryptionContext: { ...context } }), {
          abortSignal,
        }),
      );
      return this.#plain(answer.Plaintext);
    } catch (error) {
      if (error instanceof HoldfastError && FOREIGN.has((error.cause as Failure | undefined)?.name ?? '')) {
        return undefined;
      }
      throw error;
    }
  }

  #plain(bytes: Uint8Array | undefined): Buffer {
    if (bytes?.length !== DATA_KEY_BYTES) return this.#odd(`gave a data key of ${bytes?.length ?? 0} bytes`);
    return Buffer.from(bytes);
  }

  #odd(what: string): never {
    return fail('KEY_SERVICE_DENIED', `${this.location} ${what}`, { hint: 'is this endpoint a KMS?' });
  }

  async #call<Answer>(
    what: string,
    send: (client: KMSClient, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    const deadlineMs = this.#options.deadlineMs ?? DEADLINE_MS;
    const late = new RunningTimer(deadlineMs);
    const client = this.#client(deadlineMs);
    // What looks for credentials does not hear the signal, and must not hold us either.
    const stopped = new Promise<never>((_, reject) => {
      late.signal.addEventListener('abort', () => reject(new Error('no answer')), { once: true });
    });
    const running = this.#attempts(what, late.signal, () => send(client, late.signal));
    running.catch(() => undefined);
    try {
      return await Promise.race([running, stopped]);
    } catch (error) {
      if (isHoldfastError(error)) throw error;
      return fail(
        'KEY_SERVICE_UNAVAILABLE',
        `${what} with ${this.location} got no answer within ${deadlineMs / 1000} s`,
        {
          cause: error,
        },
      );
    } finally {
      late.stop();
      client.destroy();
    }
  }

  async #attempts<Answer>(what: string, signal: AbortSignal, send: () => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        if (signal.aborted) throw error;
        const known = this.#translate(what, error);
        if (attempt === ATTEMPTS || !isHoldfastError(known, 'KEY_SERVICE_UNAVAILABLE')) throw known;
        await sleep(PAUSE_MS, undefined, { signal });
      }
    }
  }

  /** Names and numbers only: the texts of the service quote what was sent. */
  #translate(what: string, error: unknown): HoldfastError {
    if (isHoldfastError(error)) return error;
    const { name = 'Error', code, $metadata } = error as Failure;
    const status = $metadata?.httpStatusCode;
    const text = `${what} with ${this.location} failed: ${status === undefined ? (code ?? name) : `${status} ${name}`}`;
    const isAnswer = status !== undefined && status >= 400 && status < 500 && status !== 429;
    const isFinal = name === 'CredentialsProviderError' || (isAnswer && !TRANSIENT.has(name));
    return new HoldfastError(isFinal ? 'KEY_SERVICE_DENIED' : 'KEY_SERVICE_UNAVAILABLE', text, { cause: error });
  }

  /** Lives for one call: opening a vault needs one, and nothing is left open. */
  #client(deadlineMs: number): KMSClient {
    const { region, endpoint, credentials } = this.#options;
    return new KMSClient({
      region,
      ...(endpoint !== undefined && { endpoint }),
      ...(credentials && { credentials }),
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: Math.min(CONNECTION_TIMEOUT_MS, deadlineMs),
        requestTimeout: deadlineMs,
        httpAgent: new HttpAgent({ keepAlive: false }),
        httpsAgent: new HttpsAgent({ keepAlive: false, minVersion: 'TLSv1.3' }),
      },
    });
  }
}
