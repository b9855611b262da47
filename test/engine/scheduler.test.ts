import t from 'tap'
import type { EngineEvent, EngineRequest } from '../../src/engine/engine-types.ts'
import { createRandom } from '../../src/engine/random.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { FAKE_VOCAB, FakeModelStep } from './fake-model-step.ts'
import { collect, referenceEvents, withoutCache } from './reference-generation.ts'

const greedy = (tokens: number[], maxTokens: number): EngineRequest => ({
  tokens,
  maxTokens,
  temperature: 0,
  stopTokens: [],
})

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A gate that steps wait at: `open()` lets one step through. */
function createGate(): { wait: () => Promise<void>; open: () => Promise<void> } {
  const waiting: (() => void)[] = []
  return {
    wait: () => new Promise((resolve) => void waiting.push(resolve)),
    async open() {
      while (waiting.length === 0) await tick()
      waiting.shift()!()
      await tick()
    },
  }
}

t.test('random schedules: every reply equals the reply of a request that runs alone', async (t) => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = createRandom(seed)
    const below = (n: number): number => Math.floor(random() * n)
    const contextLength = 16 + below(40)
    const slots = 1 + below(6)
    const step = new FakeModelStep({
      slots,
      contextLength,
      beforeStep: () => (below(3) === 0 ? tick() : Promise.resolve()),
    })
    const scheduler = new Scheduler(step, {
      chunkTokens: 1 + below(12),
      prefixBytes: below(2) * 4 * (16 + below(200)),
      settle: below(2) === 0,
    })
    const prompts: number[][] = []
    const randomPrompt = (): number[] => {
      // Half of the prompts grow out of earlier ones, so caches are hit, cut and copied.
      const base = prompts.length > 0 && random() < 0.6 ? prompts[below(prompts.length)]! : []
      const kept = base.slice(0, below(base.length + 1))
      const fresh = Array.from({ length: 1 + below(10) }, () => below(4))
      const prompt = [...kept, ...fresh].slice(0, contextLength)
      prompts.push(prompt)
      return prompt
    }
    const randomBranches = (): Partial<EngineRequest> => {
      const prompt = (): number[] => randomPrompt().slice(0, contextLength - 1)
      const branches = Array.from({ length: 1 + below(slots - 1) }, (_, i) => ({
        tokens: prompt(),
        term: i + 1,
        share: 1,
      }))
      const weights = [2 * random(), ...branches.map(() => 3 * random() - 1.5)]
      return { branches, weights, tokens: prompt() }
    }
    const randomRequest = (): EngineRequest => ({
      tokens: randomPrompt(),
      ...(slots > 1 && below(3) === 0 ? randomBranches() : {}),
      maxTokens: below(24),
      temperature: below(3) === 0 ? 0 : 0.3 + random(),
      seed: below(1000),
      stopTokens: [below(FAKE_VOCAB)],
      ignoreStop: below(4) === 0,
      ...(below(2) === 0 ? { topK: 1 + below(8) } : {}),
      ...(below(2) === 0 ? { topP: random() } : {}),
      ...(below(3) === 0 ? { logprobs: below(4) } : {}),
      ...(below(4) === 0 ? { repetitionPenalty: 1.2, frequencyPenalty: 0.3 } : {}),
      ...(below(5) === 0 ? { echo: true } : {}),
      ...(below(2) === 0 ? { owner: `owner ${below(3)}`, priority: below(21) - 10 } : {}),
      ...(below(6) === 0 ? { cacheSpace: 'adapter' } : {}),
    })
    const work = Array.from({ length: 30 }, async (_, i) => {
      for (let wait = below(30); wait > 0; wait -= 1) await tick()
      const request = randomRequest()
      const expected = referenceEvents(request, contextLength)
      const abort = new AbortController()
      const cancelAt = below(4) === 0 ? below(6) : Infinity
      const seen: EngineEvent[] = []
      try {
        for await (const event of scheduler.submit(request, abort.signal)) {
          seen.push(event)
          if (seen.length > cancelAt && i % 2 === 0) abort.abort()
          else if (seen.length > cancelAt) break
          if (below(5) === 0) await tick()
          const parts = event.type === 'token' ? 0 : event.cachedTokens
          if (parts >= request.tokens.length) t.fail('the whole prompt came from the cache')
        }
      } catch (error) {
        t.match(error, { code: 'CANCELLED' })
      }
      if (cancelAt === Infinity || seen.at(-1)?.type === 'done') {
        t.same(withoutCache(seen), expected, `seed ${seed}, request ${i}`)
      } else {
        t.same(withoutCache(seen), expected.slice(0, seen.length), `seed ${seed}, cancelled ${i}`)
      }
    })
    await Promise.all(work)
    await scheduler.dispose()
    t.ok(step.disposed)
  }
})

t.test('a second turn of a conversation computes only what is new', async (t) => {
  for (const settle of [false, true]) {
    const step = new FakeModelStep({ slots: 2, contextLength: 64 })
    const scheduler = new Scheduler(step, { settle })
    const first = await collect(scheduler.submit(greedy([1, 2, 3, 4], 5)))
    t.match(first[0], { type: 'start', promptTokens: 4, cachedTokens: 0 })
    const reply = first.flatMap((event) => (event.type === 'token' ? [event.token] : []))
    t.equal(reply.length, 5)
    for (let i = 0; i < 5; i += 1) await tick() // time to compute the reply as a prompt
    // The fifth token was sampled but never fed, so the cache holds 4 + 4 tokens.
    const cachedTokens = settle ? 8 : 4
    const request = greedy([1, 2, 3, 4, ...reply, 9, 9], 3)
    const second = await collect(scheduler.submit(request))
    t.match(second[0], { type: 'start', promptTokens: 11, cachedTokens })
    t.match(second.at(-1), { type: 'done', cachedTokens, completionTokens: 3 })
    t.same(withoutCache(second), referenceEvents(request, 64), 'and says what it says without')
    await scheduler.dispose()
  }
})

t.test('the same prompt again recomputes exactly its last two tokens', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 64 })
  const scheduler = new Scheduler(step)
  const first = await collect(scheduler.submit(greedy([5, 6, 7, 8], 3)))
  const again = await collect(scheduler.submit(greedy([5, 6, 7, 8], 3)))
  t.match(again[0], { cachedTokens: 2 })
  t.same(withoutCache(again), withoutCache(first))
  await scheduler.dispose()
})

t.test('requests that come together share what the first of them computes', async (t) => {
  const step = new FakeModelStep({ slots: 3, contextLength: 64 })
  const scheduler = new Scheduler(step, { chunkTokens: 64 })
  const system = [1, 1, 2, 3, 5, 8, 13]
  const replies = await Promise.all(
    [4, 5, 6].map((token) => collect(scheduler.submit(greedy([...system, token, 2], 4)))),
  )
  t.same(
    replies.map(([start]) => start?.type === 'start' && start.cachedTokens),
    [0, system.length, system.length],
  )
  await scheduler.dispose()
})

t.test('one owner with a hundred requests delays another by one turn of a slot', async (t) => {
  const step = new FakeModelStep({ slots: 2, contextLength: 32, beforeStep: tick })
  const scheduler = new Scheduler(step)
  const ended: string[] = []
  const run = async (owner: string): Promise<void> => {
    const request = { ...greedy([1, 2, 3], 6), owner, ignoreStop: true }
    for await (const event of scheduler.submit(request))
      if (event.type === 'done') ended.push(owner)
  }
  const flood = Array.from({ length: 100 }, () => run('flood'))
  while (ended.length < 20) await tick()
  await run('single')
  const before = ended.indexOf('single')
  t.ok(before <= 24, `${before - 20} others ended before it`)
  await Promise.all(flood)
  await scheduler.dispose()
})

t.test(
  'the urgent come first, and a cancelled request leaves its place in the queue',
  async (t) => {
    const step = new FakeModelStep({ slots: 1, contextLength: 32, beforeStep: tick })
    const scheduler = new Scheduler(step, { queueLimit: 3 })
    const order: string[] = []
    const run = async (name: string, priority: number, signal?: AbortSignal): Promise<void> => {
      const request = { ...greedy([1, 2], 3), priority }
      for await (const event of scheduler.submit(request, signal)) {
        if (event.type === 'start') order.push(name)
      }
    }
    const first = run('first', 0)
    await tick()
    const abort = new AbortController()
    const waiting = [run('patient', 5), run('plain', 0)]
    const cancelled = run('cancelled', -3, abort.signal)
    t.throws(() => scheduler.submit(greedy([1], 1)), { code: 'QUEUE_FULL' })
    abort.abort()
    await t.rejects(cancelled, { code: 'CANCELLED' })
    await Promise.all([first, ...waiting, run('urgent', -3)])
    t.same(order, ['first', 'urgent', 'plain', 'patient'])
    t.throws(() => scheduler.submit({ ...greedy([1], 1), priority: 11 }), { code: 'BAD_REQUEST' })
    await scheduler.dispose()
  },
)

t.test('a refused request is told when those that wait will have begun', async (t) => {
  let nowMs = 0
  const step = new FakeModelStep({
    slots: 2,
    contextLength: 32,
    beforeStep: async () => void (nowMs += 500),
  })
  const scheduler = new Scheduler(step, { queueLimit: 6, now: () => nowMs })
  // Alone: a prompt and 3 more tokens, 4 steps of half a second each.
  await collect(scheduler.submit(greedy([1, 2], 4)))
  const runs = Array.from({ length: 8 }, () => collect(scheduler.submit(greedy([1, 2], 4))))
  t.throws(() => scheduler.submit(greedy([1], 1)), {
    code: 'QUEUE_FULL',
    retryAfterSeconds: 6, // 6 requests, 2 at a time, 2 s each
  })
  await Promise.all(runs)
  await scheduler.dispose()
})

t.test('a shared prefix is copied from a running stream', async (t) => {
  const step = new FakeModelStep({ slots: 2, contextLength: 64, beforeStep: tick })
  const scheduler = new Scheduler(step)
  const system = [1, 1, 2, 3, 5, 8, 13]
  const running = scheduler.submit(greedy([...system, 4], 20))[Symbol.asyncIterator]()
  t.match((await running.next()).value, { type: 'start', cachedTokens: 0 })
  const other = await collect(scheduler.submit(greedy([...system, 6, 6], 4)))
  t.match(other[0], { cachedTokens: system.length })
  t.same(withoutCache(other), referenceEvents(greedy([...system, 6, 6], 4), 64))
  await running.return!()
  await scheduler.dispose()
})

t.test('a long prompt does not hold up a running stream', async (t) => {
  const step = new FakeModelStep({ slots: 2, contextLength: 100 })
  const scheduler = new Scheduler(step, { chunkTokens: 8 })
  const running = collect(scheduler.submit(greedy([1], 12)))
  const long = collect(
    scheduler.submit(
      greedy(
        Array.from({ length: 64 }, (_, i) => i % 20),
        2,
      ),
    ),
  )
  await Promise.all([running, long])
  const kinds = step.log.map(({ kind }) => kind)
  const afterStart = kinds.slice(kinds.indexOf('decode'), kinds.lastIndexOf('prefill') + 1)
  t.ok(afterStart.length >= 13, 'the long prompt took several turns')
  t.ok(
    afterStart.every((kind, i) => kind !== afterStart[i + 1] || kind === 'decode'),
    'between two chunks there is always a decode step',
  )
  t.ok(step.log.every(({ kind, tokens }) => kind === 'decode' || tokens <= 8))
  await scheduler.dispose()
})

t.test(
  'waiting requests start in the order they came; beyond the limit is QUEUE_FULL',
  async (t) => {
    const step = new FakeModelStep({ slots: 1, contextLength: 32, beforeStep: tick })
    const scheduler = new Scheduler(step, { queueLimit: 2 })
    const order: string[] = []
    const run = async (name: string): Promise<void> => {
      for await (const event of scheduler.submit(greedy([1, 2], 3))) {
        if (event.type === 'start') order.push(name)
      }
    }
    const runs = [run('a'), run('b'), run('c')]
    t.throws(() => scheduler.submit(greedy([1], 1)), { code: 'QUEUE_FULL', status: 429 })
    await Promise.all(runs)
    t.same(order, ['a', 'b', 'c'])
    t.equal((await collect(scheduler.submit(greedy([1], 1)))).length, 3, 'and then there is room')
    await scheduler.dispose()
  },
)

t.test('an abort ends its stream at once and frees the slot after the step', async (t) => {
  const gate = createGate()
  const step = new FakeModelStep({ slots: 1, contextLength: 32, beforeStep: gate.wait })
  const scheduler = new Scheduler(step)
  const abort = new AbortController()
  const cancelled = collect(scheduler.submit(greedy([1, 2, 3], 20), abort.signal))
  const waiting = collect(scheduler.submit(greedy([4, 5], 1)))
  await gate.open() // the prompt of the first
  abort.abort()
  await t.rejects(cancelled, { code: 'CANCELLED' })
  await gate.open() // the decode step that was in flight
  await gate.open() // the prompt of the second
  t.same(withoutCache(await waiting), referenceEvents(greedy([4, 5], 1), 32))
  t.same(
    step.log.map(({ kind }) => kind),
    ['prefill', 'decode', 'prefill'],
  )
  await scheduler.dispose()
})

t.test('an abort during the prefill of a full context leaves nothing to decode', async (t) => {
  const gate = createGate()
  const step = new FakeModelStep({ slots: 1, contextLength: 4, beforeStep: gate.wait })
  const scheduler = new Scheduler(step)
  const abort = new AbortController()
  const cancelled = collect(scheduler.submit(greedy([1, 2, 3, 4], 9), abort.signal))
  await tick()
  abort.abort()
  await t.rejects(cancelled, { code: 'CANCELLED' })
  await gate.open()
  await scheduler.dispose()
  t.same(
    step.log.map(({ kind }) => kind),
    ['prefill'],
  )
})

t.test('an aborted request never starts, in the queue or before it', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 32, beforeStep: tick })
  const scheduler = new Scheduler(step)
  const abort = new AbortController()
  const first = collect(scheduler.submit(greedy([1], 4)))
  const queued = collect(scheduler.submit(greedy([2, 2, 2], 4), abort.signal))
  abort.abort()
  const late = collect(scheduler.submit(greedy([3, 3, 3], 4), abort.signal))
  await t.rejects(queued, { code: 'CANCELLED' })
  await t.rejects(late, { code: 'CANCELLED' })
  await first
  t.notOk(step.log.some(({ kind, tokens }) => kind === 'prefill' && tokens === 3))
  await scheduler.dispose()
})

t.test('a failing step fails its streams and nothing else', async (t) => {
  let failures = 1
  const step = new FakeModelStep({
    slots: 2,
    contextLength: 32,
    beforeStep: (kind) =>
      kind === 'decode' && failures-- > 0 ? Promise.reject(new Error('boom')) : Promise.resolve(),
  })
  const scheduler = new Scheduler(step)
  await t.rejects(collect(scheduler.submit(greedy([1, 2, 3], 4))), { message: 'boom' })
  const events = await collect(scheduler.submit(greedy([1, 2, 3], 4)))
  t.match(events[0], { cachedTokens: 0 }, 'the failed slot is not reused as a prefix')
  t.same(withoutCache(events), referenceEvents(greedy([1, 2, 3], 4), 32))
  await scheduler.dispose()
})

t.test('dispose waits for the step, then cancels running and waiting streams', async (t) => {
  const gate = createGate()
  const step = new FakeModelStep({ slots: 1, contextLength: 32, beforeStep: gate.wait })
  const scheduler = new Scheduler(step)
  const running = collect(scheduler.submit(greedy([1], 4)))
  const waiting = collect(scheduler.submit(greedy([2], 4)))
  const rejections = Promise.all([
    t.rejects(running, { code: 'CANCELLED' }),
    t.rejects(waiting, { code: 'CANCELLED' }),
  ])
  await tick()
  const disposed = scheduler.dispose()
  await tick()
  t.notOk(step.disposed, 'a step is in flight')
  await gate.open()
  await disposed
  t.ok(step.disposed)
  await rejections
  t.throws(() => scheduler.submit(greedy([1], 1)), { code: 'CANCELLED' })
})

t.test('a full context ends the reply with "length"', async (t) => {
  const step = new FakeModelStep({ slots: 2, contextLength: 8 })
  const scheduler = new Scheduler(step)
  const exact = await collect(scheduler.submit(greedy([1, 2, 3, 4, 5, 6, 7, 8], 9)))
  t.match(exact.at(-1), { type: 'done', reason: 'length', completionTokens: 1 })
  const events = await collect(scheduler.submit(greedy([1, 2, 3, 4, 5], 99)))
  t.match(events.at(-1), { type: 'done', reason: 'length', completionTokens: 4 })
  // The full slots idle inside the batch of a third stream and still hold what they held.
  const third = await collect(scheduler.submit(greedy([9, 9], 6)))
  t.same(withoutCache(third), referenceEvents(greedy([9, 9], 6), 8))
  await scheduler.dispose()
})

t.test('bad requests are refused before they wait', async (t) => {
  const scheduler = new Scheduler(new FakeModelStep({ slots: 1, contextLength: 8 }))
  const bad = (change: Partial<EngineRequest>, code: string, message: RegExp): void => {
    t.throws(() => scheduler.submit({ ...greedy([1], 1), ...change }), { code, message })
  }
  bad({ tokens: Array.from({ length: 9 }, () => 1) }, 'CONTEXT_TOO_LONG', /9 tokens.* 8/)
  bad({ tokens: [] }, 'BAD_REQUEST', /at least 1 token/)
  bad({ tokens: [1, 23] }, 'BAD_REQUEST', /prompt token 1: .* 0 to 22, got 23/)
  bad({ tokens: [-1] }, 'BAD_REQUEST', /got -1/)
  bad({ tokens: [1.5] }, 'BAD_REQUEST', /got 1.5/)
  bad({ maxTokens: -1 }, 'BAD_REQUEST', /max_tokens/)
  bad({ temperature: Number.NaN }, 'BAD_REQUEST', /temperature/)
  bad({ topP: 1.1 }, 'BAD_REQUEST', /top_p/)
  bad({ seed: 0.5 }, 'BAD_REQUEST', /seed/)
  bad({ logitBias: { 99: 1 } }, 'BAD_REQUEST', /logit_bias/)
  await scheduler.dispose()
})

t.test('progress is told before each piece of the prompt and when it is whole', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 64 })
  const scheduler = new Scheduler(step, { chunkTokens: 8, settle: false })
  const tokens = Array.from({ length: 20 }, (_, i) => i % FAKE_VOCAB)
  const processed = async (request: EngineRequest): Promise<number[][]> => {
    const events = await collect(scheduler.submit(request))
    const progress = events.filter((event) => event.type === 'progress')
    t.equal(events[progress.length]!.type, 'start', 'all of it stands first')
    const times = progress.map(({ elapsedMs }) => elapsedMs)
    t.same(
      times,
      times.toSorted((a, b) => a - b),
    )
    return progress.map(({ promptTokens, cachedTokens, processedTokens }) => [
      promptTokens,
      cachedTokens,
      processedTokens,
    ])
  }
  t.same(await processed({ ...greedy(tokens, 1), progress: true }), [
    [20, 0, 0],
    [20, 0, 8],
    [20, 0, 16],
    [20, 0, 20],
  ])
  const again = await processed({ ...greedy([...tokens, 1, 2], 1), progress: true })
  t.ok(again[0]![1]! > 0, 'what the cache knows counts as processed')
  t.equal(again[0]![2], again[0]![1])
  t.same(again.at(-1), [22, again[0]![1], 22])
  t.same(await processed(greedy(tokens, 1)), [])
})
