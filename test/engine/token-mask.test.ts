/** What a mask leaves is drawn as from the model's own distribution over it, and the reply ends with the mask. */
import t from 'tap'
import type { EngineEvent, TokenMask } from '../../src/engine/engine-types.ts'
import { Sampler, SamplerState } from '../../src/engine/sampler.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { FakeModelStep } from './fake-model-step.ts'

const bits = (tokens: readonly number[], vocabSize: number): Uint32Array => {
  const set = new Uint32Array(Math.ceil(vocabSize / 32))
  for (const token of tokens) set[token >>> 5]! |= 1 << (token & 31)
  return set
}

t.test('draws follow the distribution over the tokens that are left', async (t) => {
  const vocabSize = 100
  const logits = Float32Array.from({ length: vocabSize }, (_, i) => Math.sin(i * 7) * 2)
  const allowed = [3, 31, 32, 63, 64, 99]
  const mask = bits(allowed, vocabSize)
  const sampler = new Sampler(vocabSize)
  const state = new SamplerState({ temperature: 1, seed: 4 }, [], vocabSize)
  const draws = 20_000
  const counts = new Map<number, number>()
  for (let i = 0; i < draws; i += 1) {
    const token = sampler.sample(logits, state, mask)
    counts.set(token, (counts.get(token) ?? 0) + 1)
  }
  const weights = allowed.map((token) => Math.exp(logits[token]!))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  t.same(
    [...counts.keys()].sort((a, b) => a - b),
    allowed,
  )
  allowed.forEach((token, i) => {
    const share = weights[i]! / total
    const spread = 5 * Math.sqrt((share * (1 - share)) / draws)
    t.ok(Math.abs(counts.get(token)! / draws - share) < spread, `token ${token}`)
  })
  const greedy = new SamplerState({ temperature: 0 }, [], vocabSize)
  const best = allowed.reduce((a, b) => (logits[b]! > logits[a]! ? b : a))
  t.equal(sampler.sample(logits, greedy, mask), best)
})

t.test('the mask is told each token, and ends the reply', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 32 })
  const scheduler = new Scheduler(step)
  t.teardown(() => scheduler.dispose())
  const told: number[] = []
  const mask: TokenMask = {
    allowed: () => bits([told.length + 1], step.vocabSize),
    accept: (token) => void told.push(token),
    get isOver() {
      return told.length === 3
    },
  }
  const request = { tokens: [1, 2], maxTokens: 3, temperature: 1, stopTokens: [0] }
  const events: EngineEvent[] = []
  for await (const event of scheduler.submit({ ...request, mask })) events.push(event)
  t.same(told, [1, 2, 3])
  t.match(events.at(-1), { type: 'done', reason: 'stop', completionTokens: 3 })
})
