import t, { type Test } from 'tap'
import {
  bootstrapIntervals,
  centralRange,
  kendallTauB,
  mean,
  meanAbsoluteError,
  olsSlope,
  pearson,
  percentile,
  quadraticKappa,
  ranks,
  rootMeanSquareError,
  sd,
  spearman,
} from '../../src/util/statistics.ts'

const near = (t: Test, found: number, wanted: number, what: string) =>
  t.ok(Math.abs(found - wanted) < 1e-9, `${what}: expected ${wanted}, found ${found}`)

t.test('correlations and slopes equal hand-worked values', async (t) => {
  // x = 1..5, y = 2,1,4,3,5: Σd² = 4, so ρ = 1 − 6·4/(5·24) = 0.8; concordant 8, discordant 2: τ = 0.6.
  const [x, y] = [
    [1, 2, 3, 4, 5],
    [2, 1, 4, 3, 5],
  ]
  near(t, spearman(x, y), 0.8, 'Spearman')
  near(t, kendallTauB(x, y), 0.6, 'Kendall')
  near(t, pearson(x, y), 0.8, 'Pearson')
  near(t, olsSlope(x, [3, 5, 7, 9, 11]), 2, 'slope')
  near(t, meanAbsoluteError(x, y), 4 / 5, 'MAE')
  near(t, rootMeanSquareError([1, 2], [4, 6]), Math.sqrt(25 / 2), 'RMSE')
  near(t, sd([2, 4, 4, 4, 5, 5, 7, 9]), 2, 'standard deviation')
})

t.test('correlations agree with published values on real data', async (t) => {
  // Anscombe's quartet I and IV (1973): r = 0.816, slope 0.500 for both.
  const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
  const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
  const x4 = [8, 8, 8, 8, 8, 8, 8, 19, 8, 8, 8]
  const y4 = [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.5, 5.56, 7.91, 6.89]
  t.equal(pearson(x, y).toFixed(3), '0.816')
  t.equal(olsSlope(x, y).toFixed(2), '0.50')
  t.equal(pearson(x4, y4).toFixed(3), '0.817')
  // R: cor(x, y, method = 'spearman'), 'kendall'
  t.equal(spearman(x, y).toFixed(4), '0.8182')
  t.equal(kendallTauB(x, y).toFixed(4), '0.6364')
  // Wikipedia's example of ties in neither list: IQ against hours of television, ρ = −29/165.
  const iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
  const hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
  near(t, spearman(iq, hours), -29 / 165, 'Spearman')
})

t.test('figures without spread are undefined, not infinite or zero', async (t) => {
  const [flat, rising] = [Array.from({ length: 7 }, () => 0.1), [1, 2, 3, 4, 5, 6, 7]]
  for (const value of [
    pearson(rising, flat),
    pearson(flat, rising),
    spearman(rising, flat),
    kendallTauB(rising, flat),
    olsSlope(flat, rising),
    percentile([], 0.5),
    mean([]),
    sd([]),
  ])
    t.ok(Number.isNaN(value), `${value}`)
  t.ok(Math.abs(olsSlope(rising, flat)) < 1e-15, 'a flat line has slope 0')
})

t.test('ties share the mean of their ranks', async (t) => {
  t.same(ranks([10, 20, 20, 5]), [2, 3.5, 3.5, 1])
  // One tie in x: τ-b = (C − D) / √((n0 − n1)(n0 − n2)) = 5 / √(5·6).
  near(t, kendallTauB([1, 1, 2, 3], [1, 2, 3, 4]), 5 / Math.sqrt(30), 'τ-b')
})

t.test(
  'quadratic kappa is 1 for equal ratings and falls with the square of the distance',
  async (t) => {
    const range = { min: 0, max: 4 }
    near(t, quadraticKappa([0, 1, 2, 4], [0, 1, 2, 4], range), 1, 'equal')
    // Observed disagreement 1/4·1; expected: var a + var b + (mean a − mean b)².
    const [a, b] = [
      [0, 1, 2, 4],
      [0, 1, 2, 3],
    ]
    const expected = 35 / 16 + 20 / 16 + 1 / 16
    near(t, quadraticKappa(a, b, range), 1 - 0.25 / expected, 'one off')
  },
)

t.test('percentiles interpolate', async (t) => {
  near(t, percentile([4, 1, 3, 2], 0.5), 2.5, 'median')
  near(t, percentile([1, 2, 3], 1), 3, 'maximum')
})

t.test('percentile intervals keep the middle 95 %', async (t) => {
  const values = Array.from({ length: 1001 }, (_, i) => i)
  t.same(centralRange(values), { low: 25, high: 975 })
  t.same(centralRange([]), { low: NaN, high: NaN })
})

const average = (sample: readonly (readonly number[])[]) => ({ mean: mean(sample.flat()) })

t.test('the bootstrap is repeatable and its interval narrows with more clusters', async (t) => {
  const clusters = (n: number) => Array.from({ length: n }, (_, i) => [i % 7, (i * 3) % 7])
  const interval = (n: number, seed = 1) =>
    bootstrapIntervals(clusters(n), average, { seed, rounds: 300 }).mean
  const [few, many] = [interval(14), interval(700)]
  t.ok(few.low <= few.value && few.value <= few.high)
  t.ok(many.high - many.low < (few.high - few.low) / 3)
  t.same(interval(14), few)
  t.not(interval(14, 2).low, few.low)
})

t.test('the interval of a mean has the width that theory says', async (t) => {
  // 100 clusters of one value each, 0 or 1: the standard error is 0.05, 95 % are ± 0.098.
  const clusters = Array.from({ length: 100 }, (_, i) => [i % 2])
  const { mean: found } = bootstrapIntervals(clusters, average, { seed: 3, rounds: 2000 })
  t.equal(found.value, 0.5)
  t.ok(Math.abs(found.high - 0.598) < 0.015 && Math.abs(found.low - 0.402) < 0.015)
})

t.test('what belongs to one cluster is resampled together', async (t) => {
  // The same values in clusters of 50 tell as much as two single values, not as a hundred.
  const together = [
    Array.from({ length: 50 }, () => 0),
    Array.from({ length: 50 }, () => 1),
  ] as const
  const { mean: found } = bootstrapIntervals(together, average, { seed: 1, rounds: 200 })
  t.match(found, { value: 0.5, low: 0, high: 1 })
})

t.test('rounds where a statistic is undefined do not count for it', async (t) => {
  const slope = (sample: readonly (readonly number[])[]) => ({
    slope: olsSlope(
      sample.map(([x]) => x!),
      sample.map(([, y]) => y!),
    ),
    never: NaN,
  })
  const points = [
    [0, 0],
    [1, 2],
  ]
  const found = bootstrapIntervals(points, slope, { seed: 1, rounds: 50 })
  t.same(found.slope, { value: 2, low: 2, high: 2 })
  t.same(found.never, { value: NaN, low: NaN, high: NaN })
})

t.test('a single cluster has a value but no interval', async (t) => {
  const { mean: found } = bootstrapIntervals([[1, 2]], average, { seed: 1 })
  t.same(found, { value: 1.5, low: NaN, high: NaN })
})
