/** Perplexity against sums over a model that is a known function of what it has read. */
import t from 'tap'
import {
  measurePerplexity,
  planWindows,
  type PerplexityText,
} from '../../../src/services/evaluation/perplexity.ts'
import { createRandom } from '../../../src/util/random.ts'
import { FAKE_VOCAB, fakeLogits, FakeModelStep } from '../../engine/fake-model-step.ts'

const random = createRandom('texts')
const text = (length: number, isCounted = (_j: number) => true): PerplexityText => ({
  tokens: Array.from({ length }, () => random.int(FAKE_VOCAB)),
  counted: Uint8Array.from({ length }, (_, j) => Number(isCounted(j))),
})

/** −log p of token j when the window began at `start`. */
function lossAt(tokens: readonly number[], start: number, j: number): number {
  const logits = [...fakeLogits(tokens.slice(start, j))]
  const total = logits.reduce((sum, value) => sum + Math.exp(value), 0)
  return Math.log(total) - logits[tokens[j]!]!
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

t.test('a text within the context: every token but the first, after all before it', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 512 })
  const one = text(300) // more than one piece of logits
  const result = await measurePerplexity(step, [one], { context: 512, stride: 256 })
  const loss = mean(one.tokens.slice(1).map((_, i) => lossAt(one.tokens, 0, i + 1)))
  t.match(result, { tokens: 299, texts: 1 })
  t.ok(Math.abs(result.loss - loss) < 1e-5, `${result.loss} and ${loss}`)
  t.ok(Math.abs(result.perplexity - Math.exp(loss)) < 1e-3)
})

t.test('only counted tokens count, over all texts alike', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 64 })
  const texts = [text(40, (j) => j % 3 === 0), text(1), text(25, (j) => j > 20)]
  const result = await measurePerplexity(step, texts, { context: 64, stride: 32 })
  const losses = texts.flatMap(({ tokens, counted }) =>
    tokens.flatMap((_, j) => (j > 0 && counted[j] ? [lossAt(tokens, 0, j)] : [])),
  )
  t.equal(result.tokens, losses.length)
  t.ok(Math.abs(result.loss - mean(losses)) < 1e-5)
})

t.test('a longer text is read in windows, and every token counts once', async (t) => {
  t.same(planWindows(20, { context: 8, stride: 4 }), [
    [0, 1, 8],
    [4, 8, 12],
    [8, 12, 16],
    [12, 16, 20],
  ])
  t.same(planWindows(9, { context: 8, stride: 7 }), [
    [0, 1, 8],
    [7, 8, 9],
  ])
  t.same(planWindows(1, { context: 8, stride: 4 }), [])
  const step = new FakeModelStep({ slots: 1, contextLength: 8 })
  const one = text(20)
  const result = await measurePerplexity(step, [one], { context: 8, stride: 4 })
  const starts = (j: number) => (j < 8 ? 0 : j < 12 ? 4 : j < 16 ? 8 : 12)
  const loss = mean(one.tokens.slice(1).map((_, i) => lossAt(one.tokens, starts(i + 1), i + 1)))
  t.equal(result.tokens, 19)
  t.ok(Math.abs(result.loss - loss) < 1e-5)
})

t.test('what cannot be measured is said', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 8 })
  const run = (texts: PerplexityText[], context: number, stride: number) =>
    measurePerplexity(step, texts, { context, stride })
  await t.rejects(run([text(5)], 9, 4), { code: 'BAD_ARGUMENT', detail: /--context/ })
  await t.rejects(run([text(5)], 8, 8), { code: 'BAD_ARGUMENT', detail: /--stride/ })
  await t.rejects(run([text(1)], 8, 4), { code: 'BAD_RECORD', detail: /no token counts/ })
  const beyond = { tokens: [1, FAKE_VOCAB], counted: Uint8Array.of(1, 1) }
  await t.rejects(run([beyond], 8, 4), { code: 'BAD_RECORD', detail: /below 23, got 23/ })
})
