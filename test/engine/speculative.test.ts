/** Guessed tokens change how many runs a reply takes, not the reply. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createEngine, type EngineEvent, type EngineRequest } from '../../src/engine/index.ts'
import { NgramDraft } from '../../src/engine/ngram-draft.ts'
import { createRandom } from '../../src/engine/random.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { FakeModelStep } from './fake-model-step.ts'
import { collect } from './reference-generation.ts'

const village = fileURLToPath(new URL('../../models/village', import.meta.url))

const tokensOf = (events: EngineEvent[]): number[] =>
  events.flatMap((event) => (event.type === 'token' ? [event.token] : []))

t.test('the guess is what followed the same tokens last', async (t) => {
  const draft = new NgramDraft([1, 2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 1], 10)
  t.same(draft.propose(4), [], 'a single token is no match')
  draft.push(2)
  t.same(draft.propose(4), [3, 7, 8, 1])
  t.same(draft.propose(2), [3, 7])
  draft.push(3)
  t.same(draft.propose(4), [7, 8, 1, 2], 'the latest place counts')
})

t.test('guesses grow while they are right and pause when they are wrong', async (t) => {
  const draft = new NgramDraft([...Array(40).keys(), 0, 1], 200)
  t.equal(draft.propose(99).length, 4)
  draft.judge(4, 4)
  t.equal(draft.propose(99).length, 8)
  draft.judge(8, 2)
  t.equal(draft.propose(99).length, 3)
  draft.judge(3, 0)
  const gaps = [0, 0].map(() => {
    let gap = 0
    for (; draft.propose(99).length === 0; gap += 1) draft.push([0, 1][gap % 2]!)
    draft.judge(4, 0)
    return gap
  })
  t.same(gaps, [4, 8])
})

t.test('a stream that repeats itself takes fewer runs', async (t) => {
  // What comes next depends on the last token alone here: the reply is a cycle.
  class Cycle extends FakeModelStep {
    override async prefill(input: Parameters<FakeModelStep['prefill']>[0]): Promise<Float32Array> {
      await super.prefill(input)
      return this.#next(input.logitPositions.map((position) => input.tokens[position]!))
    }
    override async decode(input: Parameters<FakeModelStep['decode']>[0]): Promise<Float32Array> {
      await super.decode(input)
      return this.#next(input.tokens)
    }
    #next(tokens: readonly number[]): Float32Array {
      const logits = new Float32Array(tokens.length * this.vocabSize)
      tokens.forEach((token, row) => (logits[row * this.vocabSize + ((token * 3 + 1) % 11)] = 5))
      return logits
    }
  }
  const run = async (speculative: boolean, more: Partial<EngineRequest> = {}) => {
    const step = new Cycle({ slots: 2, contextLength: 128 })
    const scheduler = new Scheduler(step, { speculative })
    const request = { tokens: [1, 2, 3], maxTokens: 100, temperature: 0, stopTokens: [], ...more }
    const events = await collect(scheduler.submit(request))
    await scheduler.dispose()
    return { events, runs: step.log.length }
  }
  const [plain, guessed] = [await run(false), await run(true)]
  t.same(guessed.events, plain.events)
  t.equal(plain.runs, 100)
  t.ok(guessed.runs < 25, `${guessed.runs} runs`)
  // A stop token inside a guess, and the end of the context inside one.
  for (const more of [{ stopTokens: [9] }, { maxTokens: 500 }, { maxTokens: 7, logprobs: 1 }]) {
    t.same((await run(true, more)).events, (await run(false, more)).events)
  }
})

t.test('village: replies with and without guesses are the same tokens', async (t) => {
  const plain = await createEngine({ modelDir: village, slots: 1 })
  t.teardown(() => plain.dispose())
  const guessing = await createEngine({ modelDir: village, slots: 1, speculative: 'ngram' })
  t.teardown(() => guessing.dispose())
  const random = createRandom(21)
  for (let i = 0; i < 40; i += 1) {
    const some = Array.from({ length: 12 }, () => Math.floor(random() * plain.config.vocabSize))
    // Half of the prompts repeat themselves, which invites guesses.
    const tokens = i % 2 === 0 ? some : [...some, ...some, ...some.slice(0, 5)]
    const temperature = i % 4 < 2 ? 0 : 0.8
    const request = { tokens, maxTokens: 60, temperature, seed: i, stopTokens: [] }
    const [a, b] = [
      await collect(plain.generate(request)),
      await collect(guessing.generate(request)),
    ]
    t.same(tokensOf(b), tokensOf(a), `prompt ${i}`)
  }
})
