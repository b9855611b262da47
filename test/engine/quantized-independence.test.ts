/**
 * With 8- and 4-bit weights, too, a reply does not depend by a single bit on what was cached, on its company in a batch,
 * or on how its prompt was cut: the kernels quantise each row of an activation by itself. Scores do not depend on the
 * padding beyond the order of sums.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createEngine, createScorer, type Engine, type EngineEvent, type EngineRequest } from '../../src/engine/index.ts' // prettier-ignore
import { createRandom } from '../../src/engine/random.ts'
import { blocksOf, writeWeightsAs } from '../fixtures/quantized-folder.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'
import { collect, withoutCache } from './reference-generation.ts'

const village = fileURLToPath(new URL('../../models/village', import.meta.url))

const forms = [
  ['8 bits', blocksOf(8)],
  ['4 bits, vocabulary 8', blocksOf(4, 8)],
  ['4 bits', blocksOf(4)],
] as const
const sizesOf = (modelDir: string) =>
  JSON.parse(readFileSync(join(modelDir, 'config.json'), 'utf8')) as {
    hidden_size: number
    vocab_size: number
  }

/**
 * The attention kernel sums rows of more than 64 tokens in an order that depends on the padded length (1e-6); an
 * activation may then round the other way when it is quantised. Padding that leaked in would change whole points.
 */
const SCORE_TOLERANCE = 1e-2

const worst = (a: Float32Array, b: Float32Array): number =>
  a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0)

const PROMPT_TOKENS = 67

/** Token ids below `bound`, always the same for a seed. */
function drawTokens(seed: number, count: number, bound: number): number[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, () => Math.floor(random() * bound))
}

/** Three attributes that read every channel of the hidden state. */
async function writeDenseHead(modelDir: string, hiddenSize: number): Promise<void> {
  const random = createRandom(2)
  const draw = (size: number) => Float32Array.from({ length: size }, () => random() - 0.5)
  await writeSafetensors(join(modelDir, 'head.safetensors'), [
    { name: 'weight', dtype: 'F32', shape: [3, hiddenSize], data: draw(3 * hiddenSize) },
    { name: 'bias', dtype: 'F32', shape: [3], data: draw(3) },
  ])
}

const cachedOf = (events: readonly EngineEvent[]): number =>
  events[0]?.type === 'start' ? events[0].cachedTokens : -1

for (const [name, form] of forms) {
  t.test(`${name}: a reply depends on nothing but its request`, async (t) => {
    const modelDir = await writeWeightsAs(village, join(t.testdir(), 'model'), form)
    const open = async (slots: number, chunkTokens: number): Promise<Engine> => {
      const engine = await createEngine({ modelDir, slots, chunkTokens, contextLength: 192 })
      t.teardown(() => engine.dispose())
      return engine
    }
    const whole = await open(1, 4096)
    const { vocabSize } = whole.config
    const tokens = drawTokens(5, PROMPT_TOKENS, vocabSize)
    const request: EngineRequest = { tokens, maxTokens: 10, temperature: 0.9, seed: 3, stopTokens: [], logprobs: 3 } // prettier-ignore
    const ask = (engine: Engine, more: Partial<EngineRequest> = {}): Promise<EngineEvent[]> =>
      collect(engine.generate({ ...request, ...more }))

    const alone = await ask(whole)
    const echoed = await ask(whole, { echo: true, cacheSpace: 'echo' })
    t.equal(cachedOf(alone), 0)
    t.same(withoutCache(echoed.slice(1)), withoutCache(alone.slice(1)), 'echo')
    for (const chunk of [2, 5, 32]) {
      const engine = await open(1, chunk)
      t.same(withoutCache(await ask(engine)), withoutCache(alone), `chunks of ${chunk}`)
      const echo = await ask(engine, { echo: true, cacheSpace: 'echo' })
      t.same(withoutCache(echo), withoutCache(echoed), `the prompt's own, in chunks of ${chunk}`)
    }

    const crowd = await open(4, 7)
    const others = [20, 3, 50].map((count, i) =>
      ask(crowd, { tokens: drawTokens(i, count, vocabSize), maxTokens: 12 + 9 * i, seed: i }),
    )
    t.same(withoutCache(await ask(crowd)), withoutCache(alone), 'in company of other lengths')
    await Promise.all(others)

    const [again, twin] = await Promise.all([ask(crowd), ask(crowd)])
    t.equal(cachedOf(again), PROMPT_TOKENS - 2)
    t.same(withoutCache(again), withoutCache(alone), 'over a cache hit')
    t.same(withoutCache(twin), withoutCache(alone), 'over the same hit at the same time')
    const turned = { tokens: [...tokens.slice(0, 40), ...drawTokens(9, 12, vocabSize)] }
    const warm = await ask(crowd, turned)
    t.equal(cachedOf(warm), 40)
    t.same(withoutCache(warm), withoutCache(await ask(whole, { ...turned, cacheSpace: 'cold' })))
  })

  t.test(`${name}: a row's scores depend on nothing but the row`, async (t) => {
    const modelDir = await writeWeightsAs(village, join(t.testdir(), 'model'), form)
    const { hidden_size: hiddenSize, vocab_size: vocabSize } = sizesOf(modelDir)
    await writeDenseHead(modelDir, hiddenSize)
    const scorer = await createScorer({ modelDir })
    t.teardown(() => scorer.dispose())
    const rows = [1, 2, 9, 31, 64, 65, 130].map((count, i) => drawTokens(i, count, vocabSize))
    const together = await scorer.score(rows)
    t.equal(new Set(together.map((scores) => scores.join())).size, rows.length, 'rows differ')
    for (const [i, row] of rows.entries())
      t.ok(worst((await scorer.score([row]))[0]!, together[i]!) < SCORE_TOLERANCE, `${row.length} tokens`) // prettier-ignore
  })
}
