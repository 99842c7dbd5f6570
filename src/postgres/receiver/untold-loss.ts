// On disk before a lost slot is made again, until the loss is told: the new slot keeps log, and knows nothing of what came before it.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { exists, syncDirectory, writeDurably } from '../recovery/durable-files.ts';

export class UntoldLoss {
  private readonly directory: string;
  private readonly file: string;

  constructor(stateDirectory: string, slot: string) {
    this.directory = stateDirectory;
    this.file = path.join(stateDirectory, `${slot}.untold-loss`);
  }

  async exists(): Promise<boolean> {
    return await exists(this.file);
  }

  async note(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await writeDurably(this.file, `${new Date().toISOString()}\n`);
  }

  async clear(): Promise<void> {
    if (!(await this.exists())) return;
    await rm(this.file, { force: true });
    await syncDirectory(this.directory);
  }
}
