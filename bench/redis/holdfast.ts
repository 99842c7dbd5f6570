// The driver: one operation of Holdfast on one Redis server, as a program that can be measured like its peers.

import { enableCompileCache } from 'node:module';
import path from 'node:path';

// As `bin/holdfast` does, before anything of ours is loaded.
enableCompileCache(path.join(import.meta.dirname, '.compiled'));
await import('./holdfast/drive.ts');
