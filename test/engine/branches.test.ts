/** Generations of several rows: what is drawn is the weighted sum, and the rows come and go together. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Blend } from '../../src/engine/blend.ts'
import { createEngine, type EngineEvent, type EngineRequest } from '../../src/engine/index.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { FakeModelStep } from './fake-model-step.ts'
import { collect, referenceEvents, withoutCache } from './reference-generation.ts'

const village = fileURLToPath(new URL('../../models/village', import.meta.url))
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const branched = (more: Partial<EngineRequest> = {}): EngineRequest => ({
  tokens: [1, 1, 2, 3, 5, 8, 4],
  branches: [
    { tokens: [1, 1, 2, 3, 5, 8, 6], term: 1, share: 1 },
    { tokens: [1, 1, 2, 3, 5], term: 2, share: 1 },
  ],
  weights: [2, -0.5, -0.5],
  maxTokens: 8,
  temperature: 0.9,
  seed: 3,
  stopTokens: [],
  ...more,
})

t.test('branches share the prefix, are charged, and draw from the weighted sum', async (t) => {
  const step = new FakeModelStep({ slots: 4, contextLength: 32 })
  const scheduler = new Scheduler(step)
  const events = await collect(scheduler.submit(branched({ logprobs: 2 })))
  t.same(withoutCache(events), referenceEvents(branched({ logprobs: 2 }), 32))
  const computed = step.log.filter(({ kind }) => kind === 'prefill').map(({ tokens }) => tokens)
  t.same(computed, [7, 2, 2], 'two tokens of each branch, the rest is copied')
  t.ok(
    step.log.every(({ kind, tokens }) => kind === 'prefill' || tokens === 3),
    'one batch',
  )
  await scheduler.dispose()
})

t.test('a stream of several rows gets its slots although single ones keep coming', async (t) => {
  const step = new FakeModelStep({ slots: 3, contextLength: 32, beforeStep: tick })
  const scheduler = new Scheduler(step)
  const single: EngineRequest = { tokens: [9, 9], maxTokens: 6, temperature: 0, stopTokens: [] }
  const ended: string[] = []
  const run = async (name: string, request: EngineRequest): Promise<void> => {
    await collect(scheduler.submit({ ...request, owner: name }))
    ended.push(name)
  }
  const flood = Array.from({ length: 60 }, () => run('flood', single))
  while (ended.length < 6) await tick()
  await Promise.all([run('one', branched()), run('other', branched())])
  t.ok(ended.length < 30, `${ended.length} ended before both`)
  await Promise.all(flood)
  await scheduler.dispose()
})

t.test('rows end together: an abort, and a step that fails', async (t) => {
  const abort = new AbortController()
  const gate = { failing: false }
  const step = new FakeModelStep({
    slots: 3,
    contextLength: 32,
    async beforeStep(kind) {
      if (gate.failing && kind === 'decode') throw new Error('boom')
      await tick()
    },
  })
  const scheduler = new Scheduler(step)
  const events = scheduler.submit(branched({ maxTokens: 20 }), abort.signal)
  const iterator = events[Symbol.asyncIterator]()
  for (let i = 0; i < 4; i += 1) await iterator.next()
  abort.abort()
  await t.rejects(iterator.next(), { code: 'CANCELLED' })
  t.same(withoutCache(await collect(scheduler.submit(branched()))), referenceEvents(branched(), 32))
  gate.failing = true
  await t.rejects(collect(scheduler.submit(branched())), { message: 'boom' })
  gate.failing = false
  t.same(withoutCache(await collect(scheduler.submit(branched()))), referenceEvents(branched(), 32))
  await scheduler.dispose()
})

t.test('what cannot be served is refused before it waits', async (t) => {
  const scheduler = new Scheduler(new FakeModelStep({ slots: 2, contextLength: 8 }))
  const bad = (change: Partial<EngineRequest>, code: string, message: RegExp): void => {
    t.throws(() => scheduler.submit(branched(change)), { code, message })
  }
  bad({}, 'BAD_REQUEST', /needs 3 slots, the model has 2/)
  const one = (tokens: number[], term = 0, share = 0.5) => [{ tokens, term, share }]
  bad({ branches: one([1]), weights: [Number.NaN] }, 'BAD_REQUEST', /weight/)
  bad({ branches: one([1], 0, 2), weights: [1] }, 'BAD_REQUEST', /share/)
  bad({ branches: one([1], 1), weights: [1] }, 'BAD_REQUEST', /term/)
  bad({ branches: one([]), weights: [1] }, 'BAD_REQUEST', /at least 1 token/)
  bad({ branches: one(Array(8).fill(1)), weights: [1] }, 'CONTEXT_TOO_LONG', /8 tokens/)
  await scheduler.dispose()
})

t.test('the bundled model: a branch of weight 0 changes nothing, company neither', async (t) => {
  const engine = await createEngine({ modelDir: village, slots: 6, contextLength: 128 })
  t.teardown(() => engine.dispose())
  const texts = (events: readonly EngineEvent[]) => events.filter(({ type }) => type === 'token')
  const tokens = Array.from({ length: 40 }, (_, i) => 20 + i)
  const other = tokens.slice(0, 30)
  const plain: EngineRequest = { tokens, maxTokens: 24, temperature: 0.8, seed: 7, stopTokens: [], logprobs: 2 } // prettier-ignore
  const ask = async (request: EngineRequest) => texts(await collect(engine.generate(request)))
  const alone = await ask(plain)
  const branches = [{ tokens: other, term: 1, share: 1 }]
  t.same(await ask({ ...plain, branches, weights: [1, 0] }), alone)
  const guided = { ...plain, branches, weights: [3, -2] }
  const first = await ask(guided)
  t.notSame(first, alone)
  const [again, ...company] = await Promise.all([ask(guided), ask(plain), ask(guided), ask(plain)])
  t.same([again, company[1]], [first, first], 'to the bit, whatever runs beside')
  t.same([company[0], company[2]], [alone, alone])
})

t.test('rows of one term are mixed as probabilities, whatever the order of their logits', (t) => {
  const logits = [
    [2, 0, -1, -60],
    [-1, 3, 0, -80],
    [0.5, 0.25, 4, 1],
  ].map((row) => Float32Array.from(row))
  const softmax = (row: Float32Array) => {
    const weights = [...row].map(Math.exp)
    return weights.map((weight) => weight / weights.reduce((sum, other) => sum + other))
  }
  const [a, b, c] = logits.map(softmax)
  const wanted = a!.map((_, i) => 2 * Math.log(0.3 * a![i]! + 0.7 * b![i]!) - Math.log(c![i]!))
  const rows = [{ term: 0, share: 0.3 }, { term: 0, share: 0.7 }, { term: 1, share: 1 }] // prettier-ignore
  const blend = new Blend(rows, [2, -1], 4)
  t.equal(blend.add(1, logits[1]!), null)
  t.equal(blend.add(2, logits[2]!), null)
  const found = blend.add(0, logits[0]!)!
  const shift = found[0]! - wanted[0]!
  wanted.slice(0, 3).forEach((value, i) => t.ok(Math.abs(found[i]! - shift - value) < 1e-5))
  t.ok(Number.isFinite(found[3]!), 'even what no row gives a chance')
  t.end()
})
