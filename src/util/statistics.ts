/** Statistics of evaluation reports. Arrays are paired by index; NaN where a figure is undefined. */
import { createRandom } from './random.ts'

export const mean = (x: readonly number[]): number => x.reduce((sum, v) => sum + v, 0) / x.length

/** Population variance. */
const variance = (x: readonly number[]): number => {
  const m = mean(x)
  return mean(x.map((v) => (v - m) ** 2))
}

export const sd = (x: readonly number[]): number => Math.sqrt(variance(x))

export function covariance(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)]
  return mean(x.map((v, i) => (v - mx) * (y[i]! - my)))
}

export const pearson = (x: readonly number[], y: readonly number[]): number =>
  covariance(x, y) / Math.sqrt(variance(x) * variance(y))

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(x: readonly number[]): number[] {
  const order = x.map((_, i) => i).sort((a, b) => x[a]! - x[b]!)
  const result = Array.from<number>({ length: x.length })
  for (let start = 0; start < order.length;) {
    let end = start
    while (end < order.length && x[order[end]!] === x[order[start]!]) end++
    for (let i = start; i < end; i++) result[order[i]!] = (start + end + 1) / 2
    start = end
  }
  return result
}

export const spearman = (x: readonly number[], y: readonly number[]): number =>
  pearson(ranks(x), ranks(y))

/** Kendall's τ-b, which corrects for ties in either list. */
export function kendallTauB(x: readonly number[], y: readonly number[]): number {
  let [agreement, untiedX, untiedY] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const [dx, dy] = [Math.sign(x[i]! - x[j]!), Math.sign(y[i]! - y[j]!)]
      agreement += dx * dy
      untiedX += dx * dx
      untiedY += dy * dy
    }
  }
  return agreement / Math.sqrt(untiedX * untiedY)
}

/** Slope of the least-squares line y ~ x. */
export const olsSlope = (x: readonly number[], y: readonly number[]): number =>
  covariance(x, y) / variance(x)

export const meanAbsoluteError = (x: readonly number[], y: readonly number[]): number =>
  mean(x.map((v, i) => Math.abs(v - y[i]!)))

/** Cohen's κ with quadratic weights over the integer levels min … max (values are rounded). */
export function quadraticKappa(
  x: readonly number[],
  y: readonly number[],
  range: { readonly min: number; readonly max: number },
): number {
  const level = (v: number) => Math.min(range.max, Math.max(range.min, Math.round(v)))
  const [a, b] = [x.map(level), y.map(level)]
  const observed = mean(a.map((v, i) => (v - b[i]!) ** 2))
  // Expected under independence: E(a − b)² = var a + var b + (mean a − mean b)².
  const expected = variance(a) + variance(b) + (mean(a) - mean(b)) ** 2
  return 1 - observed / expected
}

/** The value below which a share of the sorted list lies, interpolated. */
export function percentile(x: readonly number[], share: number): number {
  const sorted = x.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const low = sorted[Math.floor(at)]!
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at))
}

export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

/**
 * A statistic with its 95 % percentile-bootstrap interval, resampling whole clusters (the cells of
 * one prompt belong together). Efron & Tibshirani 1993, ch. 13.
 */
export function bootstrapInterval<T>(
  clusters: readonly (readonly T[])[],
  statistic: (sample: readonly T[]) => number,
  options: { readonly seed: number; readonly rounds?: number },
): Interval {
  const random = createRandom(options.seed).fork('bootstrap')
  const values: number[] = []
  for (let round = 0; round < (options.rounds ?? 200); round++) {
    const sample = clusters.flatMap(() => [...clusters[random.int(clusters.length)]!])
    const value = statistic(sample)
    if (Number.isFinite(value)) values.push(value)
  }
  const value = statistic(clusters.flat())
  if (values.length === 0) return { value, low: NaN, high: NaN }
  return { value, low: percentile(values, 0.025), high: percentile(values, 0.975) }
}
