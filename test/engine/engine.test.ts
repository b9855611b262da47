/** The engine on real weights: needs the checkpoints beside the checkout, skips without them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createEngine, type EngineEvent, type EngineRequest } from '../../src/engine/index.ts'
import { OrtModelStep } from '../../src/engine/ort-model-step.ts'
import { createRandom } from '../../src/engine/random.ts'
import {
  expectedOf,
  folderOf,
  referenceFolders,
  shared,
  skip,
  type Expected,
} from '../fixtures/reference-folders.ts'
import { collect } from './reference-generation.ts'

const stories = join(shared, 'data/stories260K/hf')
const skipStories = existsSync(stories) ? false : 'the stories260K checkpoint is not here'

const readJson = <T>(dir: string): T =>
  JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as T

const greedy = (tokens: number[], maxTokens: number): EngineRequest => ({
  tokens,
  maxTokens,
  temperature: 0,
  stopTokens: [],
})

const tokensOf = (events: EngineEvent[]): number[] =>
  events.flatMap((event) => (event.type === 'token' ? [event.token] : []))

/** The reference is transformers in f32; sums in another order differ by about 1e-5 here. */
const TOLERANCE = 1e-3

function checkLogits(t: Test, row: Float32Array, position: number, expected: Expected): void {
  const want = expected.logits_at[position]
  want?.forEach((logit, i) => {
    if (Math.abs(row[i]! - logit) > TOLERANCE) t.fail(`${position}:${i}: ${row[i]} ≠ ${logit}`)
  })
  t.equal(row.indexOf(Math.max(...row)), expected.argmax[position], `argmax at ${position}`)
}

for (const name of referenceFolders) {
  t.test(`${name}: logits equal the reference`, { skip }, async (t) => {
    const expected = expectedOf(name)
    const step = await OrtModelStep.create({
      modelDir: folderOf(name),
      slots: 3,
      contextLength: 64,
    })
    t.teardown(() => step.dispose())
    const { tokens } = expected
    const all = tokens.map((_, i) => i)
    const width = step.vocabSize
    const row = (logits: Float32Array, i: number): Float32Array =>
      logits.subarray(i * width, (i + 1) * width)

    const whole = await step.prefill({ slot: 1, tokens, start: 0, logitPositions: all })
    all.forEach((i) => checkLogits(t, row(whole, i), i, expected))

    for (const [start, end] of [
      [0, 1],
      [1, 18],
      [18, 40],
    ] as const) {
      const chunk = tokens.slice(start, end)
      const logitPositions = chunk.map((_, i) => i)
      const logits = await step.prefill({ slot: 2, tokens: chunk, start, logitPositions })
      chunk.forEach((_, i) => checkLogits(t, row(logits, i), start + i, expected))
    }

    // Ragged rows: slot 0 starts from nothing, slots 1 and 2 go back to two different positions.
    const positions = [0, 17, 39]
    const rows = { first: 0, tokens: positions.map((p) => tokens[p]!), positions }
    const ragged = await step.decode(rows)
    positions.forEach((position, i) => checkLogits(t, row(ragged, i), position, expected))

    step.copyPrefix(2, 0, 17)
    const copied = { slot: 0, tokens: tokens.slice(17, 18), start: 17, logitPositions: [0] }
    checkLogits(t, await step.prefill(copied), 17, expected)
  })

  t.test(`${name}: prompt log-probabilities and greedy`, { skip }, async (t) => {
    const expected = expectedOf(name)
    const engine = await createEngine({ modelDir: folderOf(name), slots: 2, chunkTokens: 7 })
    t.teardown(() => engine.dispose())
    const { tokens, logprob_next, greedy: continuation } = expected
    const scored = await collect(engine.generate({ ...greedy(tokens, 0), echo: true, logprobs: 1 }))
    t.match(scored[1], { type: 'done', reason: 'length', completionTokens: 0 })
    const logprobs = scored[0]?.type === 'start' ? scored[0].promptLogprobs! : []
    t.same(
      logprobs.map((entry) => entry.token),
      tokens,
    )
    t.equal(logprobs[0]!.logprob, null)
    logprob_next.forEach((want, i) => {
      const entry = logprobs[i + 1]!
      t.ok(Math.abs(entry.logprob! - want) < TOLERANCE, `${i}: ${entry.logprob} against ${want}`)
      t.equal(entry.top[0]!.token, expected.argmax[i])
    })
    const reply = await collect(engine.generate(greedy(continuation.prompt, 24)))
    t.same(tokensOf(reply), continuation.next_24)
  })
}

t.test('stories260K: the 256 published greedy tokens', { skip: skipStories }, async (t) => {
  const expected = readJson<{ greedy_from: number[]; greedy_256: number[] }>(stories)
  const engine = await createEngine({ modelDir: stories, slots: 1 })
  t.teardown(() => engine.dispose())
  t.equal(engine.contextLength, 512)
  const reply = await collect(engine.generate(greedy(expected.greedy_from, 256)))
  t.same(tokensOf(reply), expected.greedy_256)
  const longer = Array.from({ length: 513 }, () => 1)
  t.throws(() => engine.generate(greedy(longer, 1)), { code: 'CONTEXT_TOO_LONG' })
  const full = await collect(engine.generate(greedy(longer.slice(0, 510), 99)))
  t.match(full.at(-1), { type: 'done', reason: 'length', completionTokens: 3 })
})

t.test('stories260K: a batch gives what single runs give', { skip: skipStories }, async (t) => {
  const random = createRandom(5)
  const requests = Array.from({ length: 12 }, (_, i): EngineRequest => {
    const shares = i % 3 === 0 ? [1, 403, 407, 261] : [1]
    const extra = Array.from({ length: Math.floor(random() * 40) }, () =>
      Math.floor(random() * 512),
    )
    const temperature = i % 2 === 0 ? 0 : 0.9
    const tokens = [...shares, ...extra]
    return { tokens, maxTokens: 4 + i * 3, temperature, topP: 0.95, seed: i, stopTokens: [2] }
  })
  const batched = await createEngine({ modelDir: stories, slots: 5, chunkTokens: 16 })
  t.teardown(() => batched.dispose())
  const together = await Promise.all(requests.map((request) => collect(batched.generate(request))))
  const single = await createEngine({ modelDir: stories, slots: 1 })
  t.teardown(() => single.dispose())
  for (const [i, request] of requests.entries()) {
    const alone = await collect(single.generate(request))
    t.same(tokensOf(together[i]!), tokensOf(alone), `request ${i}`)
  }
})

t.test('an engine refuses sizes that make no sense', { skip: skipStories }, async (t) => {
  const bad = { code: 'BAD_ARGUMENT' }
  await t.rejects(createEngine({ modelDir: stories, contextLength: 513 }), bad)
  await t.rejects(createEngine({ modelDir: stories, slots: 0 }), bad)
})
