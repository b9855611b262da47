/** Label lines and weights: what values between levels, guidance and avoided values become. */
import t from 'tap'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { linesBetween, rowsOf, steeringTerms } from '../../src/labels/steering-terms.ts'
import { createRandom } from '../../src/util/random.ts'

const set = attributeSet('village')
const values = { helpfulness: 4, humor: 1, creativity: 0, verbosity: 2, toxicity: 0 }
const names = Object.keys(values) as (keyof typeof values)[]

t.test('whole levels are one line, and so is what is nearly whole', async (t) => {
  t.same(linesBetween(set, values), [{ values, share: 1 }])
  t.same(linesBetween(set, { ...values, humor: 0.99, verbosity: 2.01 }), [{ values, share: 1 }])
  t.same(linesBetween(set, { ...values, toxicity: 4 })[0]!.values, { ...values, toxicity: 4 })
})

t.test('k values between levels are k + 1 neighbours whose mean they are', async (t) => {
  const random = createRandom(4)
  for (let round = 0; round < 200; round += 1) {
    const asked = Object.fromEntries(
      names.map((name) => [name, random.int(2) ? random.int(5) : Math.round(random.next() * 16) / 4]), // prettier-ignore
    )
    const lines = linesBetween(set, asked)
    const between = names.filter((name) => !Number.isInteger(asked[name])).length
    if (lines.length > between + 1) t.fail(`${lines.length} lines for ${between} values`)
    let shares = 0
    for (const line of lines) shares += line.share
    if (Math.abs(shares - 1) > 1e-12) t.fail('shares sum to 1')
    for (const name of names) {
      let mean = 0
      for (const line of lines) mean += line.share * line.values![name]!
      if (Math.abs(mean - asked[name]!) > 1e-9) t.fail(`${name}: ${mean} for ${asked[name]}`)
      const isNear = lines.every((line) => Math.abs(line.values![name]! - asked[name]!) < 1)
      if (!isNear) t.fail('only neighbours')
    }
    if (!lines.every(({ share }, i) => i === 0 || share <= lines[i - 1]!.share)) t.fail('in order')
  }
  const diagonal = linesBetween(set, { ...values, humor: 0.5, verbosity: 1.5, toxicity: 2.5 })
  t.equal(diagonal.length, 2, 'equal fractions rise together')
})

t.test('weights sum to 1; without guidance there is one term', async (t) => {
  t.same(steeringTerms(set, values), [{ weight: 1, lines: [{ values, share: 1 }] }])
  const guided = steeringTerms(set, { ...values, humor: 2.5 }, { scale: 3 })
  t.same(
    guided.map(({ weight, lines }) => [weight, lines.length]),
    [
      [3, 2],
      [-2, 1],
    ],
  )
  t.equal(rowsOf(guided), 3)
  t.equal(guided[1]!.lines[0]!.values, null)
  t.same(
    steeringTerms(set, values, { scale: 0 }).map(({ lines }) => lines[0]!.values),
    [null],
  )
  const avoiding = steeringTerms(set, values, { scale: 2, avoid: { toxicity: 4, humor: 4 } })
  t.same(avoiding[1], { weight: -1, lines: [{ values: { ...values, humor: 4, toxicity: 4 }, share: 1 }] }) // prettier-ignore
  t.throws(() => steeringTerms(set, values, { scale: 2, avoid: { toxicity: 0 } }), {
    code: 'BAD_REQUEST',
  })
})
