import t, { type Test } from 'tap'
import {
  bootstrapInterval,
  kendallTauB,
  mean,
  meanAbsoluteError,
  olsSlope,
  pearson,
  percentile,
  quadraticKappa,
  ranks,
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

t.test(
  'the bootstrap interval covers the value, is repeatable, and narrows with more clusters',
  async (t) => {
    const clusters = (n: number) => Array.from({ length: n }, (_, i) => [i % 7, (i * 3) % 7])
    const few = bootstrapInterval(clusters(14), mean, { seed: 1 })
    const many = bootstrapInterval(clusters(700), mean, { seed: 1 })
    t.ok(few.low <= few.value && few.value <= few.high)
    t.ok(many.high - many.low < (few.high - few.low) / 3)
    t.same(bootstrapInterval(clusters(14), mean, { seed: 1 }), few)
  },
)
