// The store on buckets of three S3 servers: SeaweedFS, versitygw, a second implementation, and ministack, which plays AWS.

import { after } from 'node:test';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { describeStore } from './conformance.ts';
import { s3Servers } from './s3-capabilities.ts';
import { describeVersionedStore } from './versioned-conformance.ts';

const opened: S3Store[] = [];
after(() => Promise.all(opened.map((store) => store.close())));

for (const [name, { start, capabilities }] of Object.entries(s3Servers)) {
  const server = await start();
  const { region, endpoint, accessKeyId, secretAccessKey } = server;
  for (const objectLock of [false, true]) {
    const bucket = objectLock ? 'locking' : 'plain';
    await server.createBucket(bucket, { objectLock });
    const open = async () => {
      const credentials = async () => ({ accessKeyId, secretAccessKey });
      const store = new S3Store('eu', { bucket, region, endpoint, credentials });
      opened.push(store);
      return store;
    };
    const title = `a${objectLock ? ' versioned' : ''} bucket of ${name}`;
    describeStore({ title, open, conditionalPut: true, checksumAttested: true });
  }
  describeVersionedStore(name, server, capabilities);
}
