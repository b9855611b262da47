/**
 * Partial selection over typed arrays: which entries of a vocabulary-sized array are the largest,
 * in expected linear time and without allocation. Order everywhere: larger value first, and the
 * lower index first among equals, so that a selection is one well-defined set.
 */

type Values = Float32Array | Float64Array

/** Index of the largest value, the first one on ties; −1 when nothing is larger than −∞. */
export function argmax(values: Values): number {
  let best = -1
  let bestValue = -Infinity
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!
    if (value > bestValue) {
      bestValue = value
      best = i
    }
  }
  return best
}

/** True when entry `a` comes before entry `b`. */
function isBefore(values: Values, a: number, b: number): boolean {
  const valueA = values[a]!
  const valueB = values[b]!
  return valueA > valueB || (valueA === valueB && a < b)
}

/** The middle one of three entries, as pivot: sorted input stays linear. */
function medianOfThree(values: Values, a: number, b: number, c: number): number {
  if (isBefore(values, a, b)) {
    if (isBefore(values, b, c)) return b
    return isBefore(values, a, c) ? c : a
  }
  if (isBefore(values, a, c)) return a
  return isBefore(values, b, c) ? c : b
}

/**
 * Moves the entries of `order[from, to)` that come before `pivot` to the front.
 * Returns where the rest begins; the pivot itself then stands at that place.
 */
function partition(
  values: Values,
  order: Int32Array,
  range: { from: number; to: number },
  pivot: number,
): number {
  let boundary = range.from
  let pivotAt = range.from
  for (let i = range.from; i < range.to; i += 1) {
    const entry = order[i]!
    if (isBefore(values, entry, pivot)) {
      order[i] = order[boundary]!
      order[boundary] = entry
      if (pivotAt === boundary) pivotAt = i
      boundary += 1
    } else if (entry === pivot) {
      pivotAt = i
    }
  }
  order[pivotAt] = order[boundary]!
  order[boundary] = pivot
  return boundary
}

function pickPivot(values: Values, order: Int32Array, from: number, to: number): number {
  const middle = (from + to) >>> 1
  return medianOfThree(values, order[from]!, order[middle]!, order[to - 1]!)
}

/**
 * Reorders `order[0, length)` so that its first `count` entries are the largest (unsorted).
 * Returns min(count, length).
 */
export function keepLargest(
  values: Values,
  order: Int32Array,
  length: number,
  count: number,
): number {
  if (count >= length) return length
  const range = { from: 0, to: length }
  while (range.to - range.from > 1) {
    const pivot = pickPivot(values, order, range.from, range.to)
    const boundary = partition(values, order, range, pivot)
    if (boundary === count || boundary + 1 === count) return count
    if (boundary > count) range.to = boundary
    else range.from = boundary + 1
  }
  return count
}

/**
 * Reorders `order[0, length)` so that its first n entries are the smallest set of largest values
 * whose sum reaches `mass`; returns n, at least 1. All values must be ≥ 0.
 */
export function keepMass(values: Values, order: Int32Array, length: number, mass: number): number {
  const range = { from: 0, to: length }
  let kept = 0 // sum of order[0, range.from), all of which stay
  while (range.to - range.from > 1) {
    const pivot = pickPivot(values, order, range.from, range.to)
    const boundary = partition(values, order, range, pivot)
    let before = kept
    for (let i = range.from; i < boundary; i += 1) before += values[order[i]!]!
    if (before >= mass && boundary > range.from) {
      range.to = boundary
    } else if (before + values[pivot]! >= mass) {
      return boundary + 1
    } else {
      kept = before + values[pivot]!
      range.from = boundary + 1
    }
  }
  return Math.max(1, range.to)
}

/** The `count` largest entries in order; meant for small counts (insertion). Allocates its result. */
export function largestInOrder(values: Values, count: number): number[] {
  const best: number[] = []
  if (count <= 0) return best
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!
    if (best.length === count && !(value > values[best[count - 1]!]!)) continue
    if (value !== value) continue
    let at = best.length
    while (at > 0 && value > values[best[at - 1]!]!) at -= 1
    best.splice(at, 0, i)
    if (best.length > count) best.pop()
  }
  return best
}
