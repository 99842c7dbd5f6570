// The damaged pages of one base backup: noted while they stream, and resolved to relations when it has ended.

import type { Logger } from 'pino';
import type { ComponentId } from '../../domain/component.ts';
import type { Vault } from '../../vault/types.ts';
import type { PhysicalDetails, Source } from '../types.ts';
import { findDamagedRelations } from './damaged-relations.ts';
import { lastClean } from './last-clean.ts';
import type { DamagedPage } from './verify-pages.ts';

/** A damaged disk could name millions; the first ones tell enough, and the state is `damaged` all the same. */
const MOST_LISTED = 10_000;

export interface DamageContext {
  readonly source: Source;
  readonly vault: Vault;
  readonly component: ComponentId;
  readonly logger: Logger;
}

export class DamageLog {
  private readonly pages: DamagedPage[] = [];
  private count = 0;

  note(page: DamagedPage): void {
    this.count += 1;
    if (this.pages.length < MOST_LISTED) this.pages.push(page);
  }

  get state(): 'clean' | 'damaged' {
    return this.count > 0 ? 'damaged' : 'clean';
  }

  /** As the manifest tells it. */
  async details({
    source,
    vault,
    component,
    logger,
  }: DamageContext): Promise<Pick<PhysicalDetails, 'damagedPages' | 'damaged'>> {
    const { count } = this;
    // Files that are read at once end in any order.
    const damagedPages = this.pages.toSorted((a, b) =>
      a.path < b.path ? -1 : a.path > b.path ? 1 : a.block - b.block,
    );
    if (count === 0) return { damagedPages };
    const clean = await lastClean(vault, component);
    const { relations, moreRelations } = await findDamagedRelations(source, damagedPages, clean);
    logger.error({ pages: count, relations }, 'pages of the source are damaged');
    return { damagedPages, damaged: { pages: count, relations, ...(moreRelations > 0 && { moreRelations }) } };
  }
}
