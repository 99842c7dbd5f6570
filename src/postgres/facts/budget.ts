// What the facts of one snapshot may cost: time on the server, and names in the manifest.

/** Of all databases together: with a name of 30 letters each, about 10 KiB of a manifest that every listing reads. */
const MOST_TABLES = 400;

export class FactsBudget {
  leftMs: number;
  private leftTables = MOST_TABLES;

  constructor(withinMs: number) {
    this.leftMs = withinMs;
  }

  spend(ms: number): void {
    this.leftMs -= ms;
  }

  takeTables(wanted: number): number {
    const taken = Math.min(wanted, this.leftTables);
    this.leftTables -= taken;
    return taken;
  }
}
