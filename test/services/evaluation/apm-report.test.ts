import t from 'tap'
import type { AttributeSet } from '../../../schemas/attributes.ts'
import { evaluateApm, type RatedReply } from '../../../src/services/evaluation/apm-report.ts'
import { apmTable } from '../../../src/services/evaluation/report-text.ts'
import { createRandom } from '../../../src/util/random.ts'
import { attributes as both } from './fake-steering.ts'

const attributes: AttributeSet = [both[0]!]
const mean = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / list.length

/** Replies with levels 0 … 4 and raters whose noise has standard deviation 1. */
function ratedReplies(options: { count: number; raters: number; withTruth: boolean }) {
  const random = createRandom(11)
  return Array.from({ length: options.count }, (): RatedReply => {
    const truth = random.int(5)
    const humor = Array.from({ length: options.raters }, () => truth + random.normal())
    return {
      predicted: { humor: truth },
      rated: { humor: mean(humor) },
      ratings: { humor },
      ...(options.withTruth && { truth: { humor: truth } }),
    }
  })
}

// Levels 0 … 4 have variance 2; the mean of k raters adds 1/k: √(2 / (2 + 1/3)) = 0.926.
const CEILING = Math.sqrt(2 / (2 + 1 / 3))

t.test('perfect predictions reach the ceiling of noisy raters, no more', async (t) => {
  const replies = ratedReplies({ count: 3000, raters: 3, withTruth: true })
  const { humor } = evaluateApm(replies, attributes)
  t.ok(Math.abs(humor!.ceiling! - CEILING) < 0.01, `${humor!.ceiling} against ${CEILING}`)
  t.equal(humor!.pearson, humor!.ceiling)
  t.equal(humor!.ofCeiling, 1)
})

t.test('without the truth the raters agreement gives the same ceiling', async (t) => {
  const replies = ratedReplies({ count: 3000, raters: 3, withTruth: false })
  const { humor } = evaluateApm(replies, attributes)
  t.ok(Math.abs(humor!.ceiling! - CEILING) < 0.01, `${humor!.ceiling} against ${CEILING}`)
})

t.test('a single rater leaves the ceiling unknown', async (t) => {
  const replies = ratedReplies({ count: 50, raters: 1, withTruth: false })
  t.match(evaluateApm(replies, attributes).humor, { ceiling: null, ofCeiling: null, count: 50 })
})

const reply = (predicted: number, rated?: number): RatedReply => ({
  predicted: { humor: predicted },
  rated: rated === undefined ? {} : { humor: rated },
})

t.test('figures equal hand-worked values; unrated replies do not count', async (t) => {
  // x = 1 2 3 4, y = 2 1 4 3: r = ρ = 0.6, MAE 1; κ = 1 − 1 / (1.25 + 1.25).
  const replies = [reply(1, 2), reply(2, 1), reply(3, 4), reply(4, 3), reply(0)]
  const { humor } = evaluateApm(replies, attributes)
  t.equal(humor!.count, 4)
  for (const [found, wanted] of [
    [humor!.pearson, 0.6],
    [humor!.spearman, 0.6],
    [humor!.mae, 1],
    [humor!.kappa, 0.6],
  ])
    t.ok(Math.abs(found! - wanted!) < 1e-12, `${found} against ${wanted}`)
})

t.test('predictions that are all equal have no correlation', async (t) => {
  const { humor } = evaluateApm([reply(2.1, 1), reply(2.1, 2), reply(2.1, 4)], attributes)
  t.match(humor, { pearson: null, spearman: null, ofCeiling: null })
  t.match(apmTable({ humor: humor! }), /\| humor \| 3 \| – \|/)
})

t.test('a model that predicts another set of attributes is refused', async (t) => {
  const replies: RatedReply[] = [{ predicted: { quality: 1 }, rated: { humor: 1 } }]
  t.throws(() => evaluateApm(replies, attributes), { code: 'BAD_ARGUMENT', message: /"humor"/ })
})
