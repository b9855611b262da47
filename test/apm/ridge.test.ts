/** Ridge on frozen features against scikit-learn, and the choice of the penalty. */
import t from 'tap'
import { fitRidge, type RidgeRow } from '../../src/apm/ridge.ts'
import { createRandom } from '../../src/util/random.ts'

/** The generator of the reference script: multiples of 2⁻³¹ less a half. */
function drawn(count: number, seed = 12345): number[] {
  let state = seed
  return Array.from({ length: count }, () => {
    state = Number((BigInt(state) * 1103515245n + 12345n) % 2n ** 31n)
    return state / 2 ** 31 - 0.5
  })
}

const [scales, shifts, truth] = [[1, 2, 0.5, 10, 1, 3], [0, 1, -2, 5, 0, 0], [1, -0.5, 2, 0.1, 0, 0]] // prettier-ignore
const noise = drawn(40, 99)
const flat = drawn(240)
const rows = noise.map((extra, i): RidgeRow => {
  const x = scales.map((scale, j) => flat[i * 6 + j]! * scale + shifts[j]!)
  const label = x.reduce((sum, v, j) => sum + v * truth[j]!, 0) + extra
  return {
    features: Float32Array.from(x),
    labels: [label, label, NaN],
    weights: [1, 1 + (i % 3), 1],
    prompt: `p${i >> 1}`,
  }
})

t.test('weights and bias equal scikit-learn’s Ridge on standardised features', async (t) => {
  // Ridge(alpha=0.1·Σw).fit(Z, y, sample_weight=w) of scikit-learn 1.9, unstandardised; float32 features here.
  const expected = [
    [0.773709582, -0.368425498, 1.846270903, 0.084343162, 0.157503539, 0.013661637, -0.32640072],
    [0.766394019, -0.354475153, 1.905850904, 0.083200612, 0.288685195, 0.020099726, -0.196370061],
  ]
  const { weight, bias, counts } = fitRidge(rows, 3, { seed: 1, lambdas: [0.1] })
  expected.forEach((values, a) => {
    const found = [...weight.subarray(a * 6, a * 6 + 6), bias[a]!]
    values.forEach((value, j) => t.ok(Math.abs(found[j]! - value) < 1e-5, `${found[j]} ${value}`))
  })
  t.same([...weight.subarray(12)], [0, 0, 0, 0, 0, 0], 'nobody rated the third')
  t.same(counts, [40, 40, 0])
})

t.test(
  'the penalty that is chosen has the least error on prompts that it did not see',
  async (t) => {
    const { chosen } = fitRidge(rows, 1, { seed: 1 })
    t.ok(chosen[0]!.error < chosen[0]!.errorOfMean / 3, 'features that tell the label are used')
    t.ok(chosen[0]!.lambda < 0.1)
    for (const lambda of [1e-4, 0.01, 0.3, 10]) {
      const [fixed] = fitRidge(rows, 1, { seed: 1, lambdas: [lambda] }).chosen
      t.ok(fixed!.error >= chosen[0]!.error, `${lambda}`)
    }
  },
)

t.test('what only repeats within a prompt is not taken for knowledge', async (t) => {
  const random = createRandom(3)
  const repeated = Array.from({ length: 30 }, (_, i): RidgeRow[] => {
    const features = Float32Array.from({ length: 40 }, () => random.normal())
    const labels = [random.normal()]
    return [1, 2, 3].map(() => ({ features, labels, prompt: `p${i}` }))
  }).flat()
  const [grouped] = fitRidge(repeated, 1, { seed: 1 }).chosen
  const leaking = repeated.map((row, i) => ({ ...row, prompt: `${i}` }))
  const [leaky] = fitRidge(leaking, 1, { seed: 1 }).chosen
  t.ok(grouped!.lambda >= 1, `penalty ${grouped!.lambda}`)
  t.ok(leaky!.lambda < 0.1 && leaky!.error < grouped!.error / 3, 'by single rows it looks learnt')
})

t.test('one prompt, one row, no spread: a fit without numbers that are none', async (t) => {
  const one = { features: Float32Array.of(1, 1), labels: [3], prompt: 'p' }
  for (const few of [[one], [one, { ...one, labels: [5] }]]) {
    const { weight, bias } = fitRidge(few, 1, { seed: 1 })
    t.ok([...weight, ...bias].every(Number.isFinite))
    t.ok(Math.abs(bias[0]! + weight[0]! + weight[1]! - (few.length === 1 ? 3 : 4)) < 1e-6)
  }
})
