/** Generators of known behaviour must come out with the figures that follow from it. */
import t from 'tap'
import type { AttributeSet } from '../../../schemas/attributes.ts'
import { SteeringReport } from '../../../schemas/steering-report.ts'
import {
  evaluateSteering,
  type Judge,
  type ReplyRequest,
} from '../../../src/services/evaluation/evaluate-steering.ts'
import { reportHtml } from '../../../src/services/evaluation/report-html.ts'
import { compareText, steeringText } from '../../../src/services/evaluation/report-text.ts'

const spec = (name: string) => ({
  name,
  description: '',
  min: 0,
  max: 4,
  levels: ['0', '1', '2', '3', '4'],
  direction: 'neither' as const,
  default: 2,
})
const attributes: AttributeSet = [spec('humor'), spec('toxicity')]

/** Replies carry their values as text, which the judge reads back. */
const readBack: Judge = async (inputs) =>
  inputs.map((messages) => JSON.parse(messages.at(-1)!.content) as Record<string, number>)

const evaluate = (reply: (request: ReplyRequest) => Record<string, number>, prompts = 8) =>
  evaluateSteering({
    model: 'fake',
    apm: null,
    generate: async (request) => JSON.stringify(reply(request)),
    judges: { meters: readBack },
    prompts: Array.from({ length: prompts }, (_, i) => [
      { role: 'user' as const, content: `<b>${i}</b>` },
    ]),
    attributes,
    levels: [0, 1, 2, 3, 4],
    temperature: 0.8,
    others: 'random',
    seed: 1,
    concurrency: 3,
    promptOnly: 2,
    combinations: [{ values: [0, 0] }],
  })

const perfect = ({ attributes: a }: ReplyRequest) => ({
  humor: a.humor ?? 2,
  toxicity: a.toxicity ?? 2,
})

t.test('a perfect model has correlation and slope 1, full range, no leakage', async (t) => {
  const report = await evaluate(perfect)
  const { attributes: figures, leakage, disentanglement, shuffled } = report.judges.meters!
  const humor = figures.humor!
  t.ok(Math.abs(humor.spearman.value! - 1) < 1e-12)
  t.ok(Math.abs(humor.slope.value! - 1) < 1e-12)
  t.match(humor, {
    dynamicRange: { value: 4 },
    mae: { value: 0 },
    exact: 1,
    monotonicity: 1,
    antiSteerable: 0,
    risingPrompts: 1,
  })
  t.ok(Math.abs(leakage[0]![1]!) < 1e-12)
  t.ok(Math.abs(disentanglement! - 1) < 1e-12)
  t.ok(Math.abs(shuffled.humor!) < 0.4, 'permuted requests carry nothing')
  t.equal(report.replies, 8 * 2 * 5)
  t.ok(report.unseenCombinations! > 0)
})

t.test('a dead model has no correlation and no range', async (t) => {
  const report = await evaluate(() => ({ humor: 3, toxicity: 1 }))
  const { humor } = report.judges.meters!.attributes
  t.match(humor, {
    spearman: { value: null },
    slope: { value: 0 },
    dynamicRange: { value: 0 },
    risingPrompts: 0,
  })
})

t.test('a leaky model shows where it leaks', async (t) => {
  const report = await evaluate(({ attributes: a }) => {
    const humor = a.humor ?? 2
    return { humor, toxicity: (a.toxicity ?? 2) - humor / 2 }
  })
  const { leakage, disentanglement, attributes: figures } = report.judges.meters!
  t.ok(Math.abs(leakage[0]![1]! + 0.5) < 1e-9, 'toxicity falls by half of humor')
  t.ok(Math.abs(leakage[1]![0]!) < 1e-9)
  // Row humor: 1/(1 + 0.5); row toxicity: 1.
  t.ok(Math.abs(disentanglement! - (1 / 1.5 + 1) / 2) < 1e-9)
  t.equal(figures.toxicity!.antiSteerable, 0)
})

t.test('an inverted dial is anti-steerable for every prompt', async (t) => {
  const report = await evaluate(({ attributes: a }) => ({
    humor: 4 - (a.humor ?? 2),
    toxicity: a.toxicity ?? 2,
  }))
  t.match(report.judges.meters!.attributes.humor, {
    antiSteerable: 1,
    monotonicity: 0,
    risingPrompts: 0,
  })
})

t.test(
  'the other attributes stay the same while one is varied, and the request is repeatable',
  async (t) => {
    const seen: ReplyRequest[] = []
    const record = (request: ReplyRequest) => (seen.push(request), perfect(request))
    await evaluate(record, 3)
    const again: ReplyRequest[] = []
    await evaluate((request) => (again.push(request), perfect(request)), 3)
    t.same(
      seen.slice(0, 5).map(({ attributes: a }) => a.humor),
      [0, 1, 2, 3, 4],
    )
    t.equal(new Set(seen.slice(0, 5).map(({ attributes: a }) => a.toxicity)).size, 1)
    t.same(seen, again)
    t.equal(new Set(seen.slice(0, 30).map(({ seed }) => seed)).size, 30)
  },
)

t.test('the prompt-only baseline asks in words and gives no label line', async (t) => {
  const seen: ReplyRequest[] = []
  await evaluate((request) => (seen.push(request), perfect(request)))
  const asked = seen.filter(({ attributes: a }) => Object.keys(a).length === 0)
  t.equal(asked.length, 2 * 2 * 5)
  t.match(asked[0]!.messages.at(-1)!.content, /Answer with humor 0 of 4, toxicity \d of 4/)
})

t.test(
  'the report is valid JSON, prints, compares, and its page escapes what models and users wrote',
  async (t) => {
    const report = await evaluate(perfect)
    const parsed = SteeringReport.parse(JSON.parse(JSON.stringify(report)))
    t.match(steeringText(parsed), /fake: 80 replies to 8 prompts/)
    t.match(compareText(parsed, parsed), /\| humor \| 1\.00 \[1\.00, 1\.00\]/)
    const page = reportHtml(parsed)
    t.notMatch(page, /<b>\d<\/b>/)
    t.match(page, /&#60;b&#62;\d/)
    t.notMatch(page, /NaN|undefined/)
  },
)
