/**
 * Rounding to the nearest integer, ties to the even one: Python's `round`, which the reference code
 * uses for predicted values. `Math.round` rounds ties up and would give 1, 3 for 0.5, 2.5.
 */

/** 0.5 → 0, 1.5 → 2, 2.5 → 2, 3.5 → 4. Never gives −0. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest < 0.5) return floor + 0
  if (rest > 0.5) return floor + 1 + 0
  return (floor % 2 === 0 ? floor : floor + 1) + 0
}
