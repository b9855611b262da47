import t from 'tap'
import { fitCalibration, leastRows, type RatedScores } from '../../src/apm/fit-calibration.ts'
import { attributeValues } from '../../src/apm/label-records.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { calibrated, levelProbabilities } from '../../src/labels/calibration.ts'
import { createRandom } from '../../src/util/random.ts'

const attributes = attributeSet('village').slice(0, 1)
const [spec] = attributes
const { name } = spec!

/** Ratings spread by `sd` around `truth`; what the model scores of it is `distort` of the truth. */
function draw(count: number, distort: (truth: number) => number, sd = 0.4): RatedScores[] {
  const random = createRandom('calibration')
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
  return Array.from({ length: count }, (_, i) => {
    const truth = 4 * random.next()
    return {
      prompt: `prompt ${i % Math.ceil(count / 3)}`,
      scores: [distort(truth)],
      ratings: [truth + sd * normal()],
    }
  })
}

const fit = (rows: readonly RatedScores[]) => fitCalibration(rows, attributes)[name]!

t.test('a score that is right already is left alone', async (t) => {
  const { method, spread, error } = fit(draw(3000, (truth) => truth))
  t.equal(method, 'none')
  t.equal(error.before, error.after)
  for (const [, sd] of spread) t.ok(Math.abs(sd - 0.4) < 0.05, `spread ${sd}`)
})

t.test('a shrunken score is stretched by a line', async (t) => {
  const calibration = fitCalibration(
    draw(3000, (truth) => 1 + truth / 2),
    attributes,
  )
  const { method, error } = calibration[name]!
  t.equal(method, 'linear')
  t.ok(error.before > 0.4, `before ${error.before}`)
  t.ok(error.after < 0.06, `after ${error.after}`)
  for (const truth of [0.5, 2, 3.5]) {
    const value = calibrated(calibration, name, 1 + truth / 2)
    t.ok(Math.abs(value - truth) < 0.06, `${truth} came back as ${value}`)
  }
})

t.test('a bent score is straightened by a rising curve', async (t) => {
  const bend = (truth: number): number => truth ** 3 / 16
  const calibration = fitCalibration(draw(6000, bend), attributes)
  const { method, error, points } = calibration[name]!
  t.equal(method, 'isotonic')
  t.ok(error.after < error.before / 5, `from ${error.before} to ${error.after}`)
  t.ok(points.every(([x, y], i) => i === 0 || (x > points[i - 1]![0] && y > points[i - 1]![1])))
  for (const truth of [1, 2, 3]) {
    const value = calibrated(calibration, name, bend(truth))
    t.ok(Math.abs(value - truth) < 0.15, `${truth} came back as ${value}`)
  }
  const far = [-5, 0, 2, 4, 9].map((score) => calibrated(calibration, name, score))
  t.same(
    far,
    far.toSorted((a, b) => a - b),
    'it rises beyond what was seen',
  )
})

t.test('the confidence is the share of ratings at the predicted level', async (t) => {
  const { confidence_error: error } = fit(draw(6000, (truth) => 1 + truth / 2))
  t.ok(error < 0.05, `${error}`)
  const wrong = fit(draw(6000, (truth) => truth, 1.5)).spread[2]![1]
  t.ok(Math.abs(wrong - 1.5) < 0.15, 'wider ratings, wider spread')
})

t.test('a score that runs against the ratings is not turned around', async (t) => {
  const calibration = fitCalibration(
    draw(500, (truth) => 4 - truth),
    attributes,
  )
  const [low, high] = [1, 3].map((score) => calibrated(calibration, name, score))
  t.ok(low! <= high!)
})

t.test('too few ratings calibrate nothing; replies without a rating do not count', async (t) => {
  const rows = draw(leastRows, (truth) => truth)
  t.equal(fit(rows).rows, leastRows)
  t.same(fitCalibration(rows.slice(1), attributes), {})
  t.same(fitCalibration([{ ...rows[0]!, ratings: [NaN] }, ...rows.slice(1)], attributes), {})
})

t.test('levels share all of the probability', async (t) => {
  const spread: [number, number][] = [[0, 1]]
  const probabilities = levelProbabilities(spec!, 2, { [name]: { spread } })
  // Φ(0.5) − Φ(−0.5), Φ(1.5) − Φ(0.5), 1 − Φ(1.5)
  const wanted = [0.0668072, 0.2417303, 0.3829249, 0.2417303, 0.0668072]
  probabilities.forEach((p, i) => t.ok(Math.abs(p - wanted[i]!) < 1e-6, `${p}`))
  for (const value of [-50, 0, 1.3, 4, 50]) {
    const sum = levelProbabilities(spec!, value).reduce((a, b) => a + b, 0)
    t.ok(Math.abs(sum - 1) < 1e-9, `${sum}`)
  }
})

t.test('labels are calibrated, cut to the range and rounded', async (t) => {
  const calibration = fitCalibration(
    draw(3000, (truth) => 1 + truth / 2),
    attributes,
  )
  const label = (score: number, used = calibration) =>
    attributeValues(attributes, Float32Array.of(score), used)[name]
  t.equal(label(2.5, {}), 2.5)
  t.equal(label(2.5), Math.round(calibrated(calibration, name, 2.5) * 1000) / 1000)
  t.equal(label(9), 4)
})
