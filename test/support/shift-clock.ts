// Loaded before a program (`--import`): its clock is wrong by SHIFT_CLOCK_MS.

const shiftMs = Number(process.env.SHIFT_CLOCK_MS);
const Real = Date;

class Shifted extends Real {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [Real.now() + shiftMs] : given) as [number]));
  }

  static override now(): number {
    return Real.now() + shiftMs;
  }
}

globalThis.Date = Shifted as DateConstructor;
