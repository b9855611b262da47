import t from 'tap'
import {
  createRaters,
  defaultRaters,
  drawLevels,
  generateVillage,
  noiseCeiling,
  pearson,
  villageAttributes,
} from '../../../src/datasets/village/index.ts'
import { createRandom } from '../../../src/util/random.ts'

const truth = { helpfulness: 0, humor: 1, creativity: 2, verbosity: 3, toxicity: 4 } as const

t.test('raters without bias, noise and gaps give the truth', async (t) => {
  const exact = {
    ...defaultRaters,
    biasSd: 0,
    noiseSd: 0,
    wildShare: 0,
    gapShare: 0,
    blankShare: 0,
  }
  const { ratings, attributes } = createRaters(createRandom(1), exact)(truth, createRandom(2))
  t.same(attributes, truth)
  t.same(ratings['creativity'], [2, 2, 2])
})

t.test('raters are deterministic, stay on the scale, disagree and leave gaps', async (t) => {
  const rate = createRaters(createRandom(1))
  t.same(rate(truth, createRandom(2)), rate(truth, createRandom(2)))
  const draw = createRandom(3)
  let blank = 0
  let partial = 0
  let far = 0
  for (let i = 0; i < 2000; i++) {
    const { ratings, attributes } = rate(truth, draw)
    for (const name of villageAttributes) {
      const values = ratings[name]
      if (!values) {
        t.notOk(name in attributes)
        blank++
        continue
      }
      if (values.length < 3) partial++
      if (Math.max(...values) - Math.min(...values) >= 3) far++
      if (!values.every((value) => [0, 1, 2, 3, 4].includes(value))) t.fail(String(values))
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      if (attributes[name] !== mean) t.fail(`mean of ${values} is not ${attributes[name]}`)
    }
  }
  t.ok(blank > 200 && blank < 500, `${blank} of 10000 blank`)
  t.ok(partial > 1000 && partial < 2500, `${partial} of 10000 partial`)
  t.ok(far > 100, `${far} of 10000 in strong disagreement`)
})

t.test('the noise ceiling is the correlation of truth and rater means', async (t) => {
  const ceiling = noiseCeiling(generateVillage({ seed: 2, heldoutRated: 1500 }).heldoutRated)
  for (const name of villageAttributes) t.ok(ceiling[name] > 0.9 && ceiling[name] < 0.99, name)
  const random = createRandom(9)
  const records = Array.from({ length: 50 }, () => {
    const levels = drawLevels(random)
    const rated = { truth: { ...levels }, attributes: { ...levels } }
    return { messages: [{ role: 'assistant' as const, content: '', ...rated }] }
  })
  for (const value of Object.values(noiseCeiling(records))) t.ok(Math.abs(value - 1) < 1e-9)
})

t.test('pearson on known values', async (t) => {
  t.ok(Math.abs(pearson([1, 2, 3], [2, 4, 6]) - 1) < 1e-12)
  t.ok(Math.abs(pearson([1, 2, 3], [3, 2, 1]) + 1) < 1e-12)
  t.equal(pearson([1, 1, 1], [1, 2, 3]), 0)
})
