// A program that changes the key slots of a test's vault and kills itself at a store call: DIRECTORY CHANGE CALL before|after.

import { join } from 'node:path';
import type { Store } from '../../src/stores/store.ts';
import { keyChanges } from './key-changes.ts';
import { openFileVault } from './open-vault.ts';

const [directory = '', name = '', call = '', when = ''] = process.argv.slice(2);
const keyFile = join(directory, 'vault.key');
let calls = -1;

function dieAt(moment: string): void {
  if (calls === Number(call) && when === moment) process.kill(process.pid, 'SIGKILL');
}

function dying(store: Store): Store {
  return new Proxy(store, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (calls >= 0) calls++;
        dieAt('before');
        const result: unknown = value.apply(target, args);
        if (result instanceof Promise) {
          return result.finally(() => dieAt('after'));
        }
        dieAt('after');
        return result;
      };
    },
  });
}

const copies = ['local', 'eu'].map((name, number) => ({ name, path: join(directory, name), offsite: number > 0 }));
const vault = await openFileVault({ keyFile, copies, wrap: dying });
calls = 0;
await keyChanges[name]?.change(vault, keyFile);
