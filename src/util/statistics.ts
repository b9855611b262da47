/** Statistics of evaluation reports. Arrays are paired by index; NaN where a figure is undefined. */
import { createRandom } from './random.ts'

export const mean = (x: readonly number[]): number => x.reduce((sum, v) => sum + v, 0) / x.length

/** Of the population. Equal values give 0 exactly, where rounding of the mean would leave a trace. */
const variance = (x: readonly number[]): number => {
  if (x.every((v) => v === x[0])) return x.length === 0 ? NaN : 0
  const m = mean(x)
  return mean(x.map((v) => (v - m) ** 2))
}

/** Undefined, not infinite, where there is no spread to divide by. */
const ratio = (over: number, under: number): number => (under === 0 ? NaN : over / under)

/** Standard deviation of the population. */
export const sd = (x: readonly number[]): number => Math.sqrt(variance(x))

export function covariance(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)]
  return mean(x.map((v, i) => (v - mx) * (y[i]! - my)))
}

export const pearson = (x: readonly number[], y: readonly number[]): number =>
  ratio(covariance(x, y), Math.sqrt(variance(x) * variance(y)))

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
  return ratio(agreement, Math.sqrt(untiedX * untiedY))
}

/** Slope of the least-squares line y ~ x. */
export const olsSlope = (x: readonly number[], y: readonly number[]): number =>
  ratio(covariance(x, y), variance(x))

export const meanAbsoluteError = (x: readonly number[], y: readonly number[]): number =>
  mean(x.map((v, i) => Math.abs(v - y[i]!)))

export const rootMeanSquareError = (x: readonly number[], y: readonly number[]): number =>
  Math.sqrt(mean(x.map((v, i) => (v - y[i]!) ** 2)))

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
  return 1 - ratio(observed, expected)
}

/** Cumulative standard normal; within 1e-7 (Abramowitz & Stegun 7.1.26). */
export function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const series =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const tail = (series * Math.exp(-x * x)) / 2
  return z < 0 ? tail : 1 - tail
}

/** The value below which a share (0 … 1) of the sorted list lies, interpolated; NaN for no values. */
export function percentile(x: readonly number[], share: number): number {
  if (x.length === 0) return NaN
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

export interface BootstrapOptions {
  readonly seed: number
  /** Resamples; 1000 leave 25 values beyond each end of a 95 % interval. */
  readonly rounds?: number
}

/**
 * Several statistics with their 95 % percentile-bootstrap intervals. Whole clusters are resampled,
 * because what was measured on one prompt belongs together; a single cluster has no interval.
 * Rounds where a statistic is undefined do not count for it. Efron & Tibshirani 1993, ch. 13.
 */
export function bootstrapIntervals<T, K extends string | number>(
  clusters: readonly T[],
  statistics: (sample: readonly T[]) => Readonly<Record<K, number>>,
  options: BootstrapOptions,
): Record<K, Interval> {
  const random = createRandom(options.seed).fork('bootstrap')
  const whole = Object.entries(statistics(clusters)) as [K, number][]
  const found = new Map(whole.map(([key]) => [key, [] as number[]]))
  const rounds = clusters.length < 2 ? 0 : (options.rounds ?? 1000)
  for (let round = 0; round < rounds; round++) {
    const sample = clusters.map(() => clusters[random.int(clusters.length)]!)
    for (const [key, value] of Object.entries(statistics(sample)) as [K, number][])
      if (Number.isFinite(value)) found.get(key)!.push(value)
  }
  const interval = ([key, value]: [K, number]): [K, Interval] => [
    key,
    { value, ...centralRange(found.get(key)!) },
  ]
  return Object.fromEntries(whole.map(interval)) as Record<K, Interval>
}

/** Where the middle 95 % of the values lie; NaN without values. */
export function centralRange(values: readonly number[]): { low: number; high: number } {
  if (values.length === 0) return { low: NaN, high: NaN }
  return { low: percentile(values, 0.025), high: percentile(values, 0.975) }
}
