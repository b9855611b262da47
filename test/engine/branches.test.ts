/** Generations of several rows: what is drawn is the weighted sum, and the rows come and go together. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createEngine, type EngineEvent, type EngineRequest } from '../../src/engine/index.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { FakeModelStep } from './fake-model-step.ts'
import { collect, referenceEvents, withoutCache } from './reference-generation.ts'

const village = fileURLToPath(new URL('../../models/village', import.meta.url))
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const branched = (more: Partial<EngineRequest> = {}): EngineRequest => ({
  tokens: [1, 1, 2, 3, 5, 8, 4],
  branches: [
    { tokens: [1, 1, 2, 3, 5, 8, 6], weight: -0.5 },
    { tokens: [1, 1, 2, 3, 5], weight: -0.5 },
  ],
  weight: 2,
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
  bad({ branches: [{ tokens: [1], weight: Number.NaN }] }, 'BAD_REQUEST', /weight/)
  bad({ branches: [{ tokens: [], weight: 1 }] }, 'BAD_REQUEST', /at least 1 token/)
  bad({ branches: [{ tokens: Array(8).fill(1), weight: 1 }] }, 'CONTEXT_TOO_LONG', /8 tokens/)
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
  t.same(await ask({ ...plain, branches: [{ tokens: other, weight: 0 }] }), alone)
  const guided = { ...plain, weight: 3, branches: [{ tokens: other, weight: -2 }] }
  const first = await ask(guided)
  t.notSame(first, alone)
  const [again, ...company] = await Promise.all([ask(guided), ask(plain), ask(guided), ask(plain)])
  t.same([again, company[1]], [first, first], 'to the bit, whatever runs beside')
  t.same([company[0], company[2]], [alone, alone])
})
