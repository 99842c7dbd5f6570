// The store on buckets of other S3 servers than the sandbox's: versitygw, a second implementation, and ministack, which plays AWS.

import { after } from 'node:test';
import { S3Store } from '../../../src/stores/s3-store.ts';
import { testMinistack, testVersitygw, wholeFile } from '../../support/components.ts';
import { describeStore } from './conformance.ts';

const opened: S3Store[] = [];
after(() => Promise.all(opened.map((store) => store.close())));

for (const [name, start] of Object.entries({ versitygw: testVersitygw, ministack: testMinistack })) {
  const server = await start(wholeFile);
  const { region, endpoint, accessKeyId, secretAccessKey } = server;
  await server.createBucket('vault');
  const open = async () => {
    const credentials = async () => ({ accessKeyId, secretAccessKey });
    const store = new S3Store('eu', { bucket: 'vault', region, endpoint, credentials });
    opened.push(store);
    return store;
  };
  describeStore({ title: `a bucket of ${name}`, open, conditionalPut: true, checksumAttested: true });
}
