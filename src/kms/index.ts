// Key services as the vault and the host import them.

export { AwsKms, type AwsKmsOptions } from './aws-kms.ts';
export type { DataKey, DataKeys, EncryptionContext } from './data-keys.ts';
