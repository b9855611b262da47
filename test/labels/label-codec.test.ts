import t from 'tap'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import {
  formatLabel,
  parseLabel,
  parseLabelPairs,
  validateAttributes,
} from '../../src/labels/label-codec.ts'

const village = attributeSet('village')
const steerlm = attributeSet('steerlm')

t.test('a label has the order of the set and leaves out what is missing', async (t) => {
  const values = { toxicity: 0, helpfulness: 4, verbosity: 2, humor: 0, creativity: 0 }
  t.equal(formatLabel(village, values), 'helpfulness:4,humor:0,creativity:0,verbosity:2,toxicity:0')
  t.equal(formatLabel(steerlm, values), 'toxicity:0,humor:0,creativity:0,helpfulness:4,verbosity:2')
  t.equal(formatLabel(village, { humor: 1 }), 'humor:1')
  t.equal(formatLabel(village, {}), '')
  t.equal(formatLabel(village, { correctness: 3 }), '', 'names outside the set stay out')
  t.equal(formatLabel(village, Object.create({ humor: 3 })), '', 'inherited names do not count')
})

t.test('values are rounded half to even and clamped', async (t) => {
  t.equal(
    formatLabel(village, { helpfulness: 0.5, humor: 1.5, creativity: 2.5, verbosity: 3.5 }),
    'helpfulness:0,humor:2,creativity:2,verbosity:4',
  )
  t.equal(formatLabel(village, { helpfulness: 4.8, toxicity: -0.7 }), 'helpfulness:4,toxicity:0')
  t.throws(() => formatLabel(village, { humor: NaN }), { code: 'BAD_RECORD' })
})

t.test('parsing is the inverse of formatting', async (t) => {
  for (let code = 0; code < 3 ** 5; code += 7) {
    const values: Record<string, number> = {}
    village.forEach((spec, i) => {
      const digit = Math.floor(code / 3 ** i) % 3
      if (digit < 2) values[spec.name] = digit * 4
    })
    t.same(parseLabel(village, formatLabel(village, values)), values)
  }
})

t.test('a malformed label says what is wrong', async (t) => {
  const bad = (text: string, code: string): void => {
    t.throws(() => parseLabel(village, text), { code }, JSON.stringify(text))
  }
  bad('humor', 'BAD_RECORD')
  bad('humor:', 'BAD_RECORD')
  bad('humor:1.5', 'BAD_RECORD')
  bad('humor:1, toxicity:0', 'BAD_RECORD')
  bad('humor:1,humor:1', 'BAD_RECORD')
  bad('humor:1,', 'BAD_RECORD')
  bad('lang:en', 'BAD_RECORD')
  bad('wit:1', 'ATTRIBUTE_UNKNOWN')
  bad('humor:5', 'ATTRIBUTE_OUT_OF_RANGE')
  bad('humor:-1', 'ATTRIBUTE_OUT_OF_RANGE')
  t.same(parseLabelPairs('quality:-3'), [['quality', -3]])
})

t.test('requested values must be known and in range; fractions are fine', async (t) => {
  t.doesNotThrow(() => validateAttributes(village, { humor: 2.5, toxicity: 0, verbosity: 4 }))
  t.throws(() => validateAttributes(village, { wit: 1 }), {
    code: 'ATTRIBUTE_UNKNOWN',
    param: 'attributes.wit',
    detail: /helpfulness, humor, creativity, verbosity, toxicity/,
  })
  for (const value of [-0.1, 4.1, NaN, Infinity]) {
    t.throws(() => validateAttributes(village, { humor: value }), {
      code: 'ATTRIBUTE_OUT_OF_RANGE',
      param: 'attributes.humor',
    })
  }
  t.throws(() => validateAttributes([], { humor: 1 }), {
    code: 'ATTRIBUTE_UNKNOWN',
    detail: /attributes: none/,
  })
})
