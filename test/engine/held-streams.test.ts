/** Readers that do not keep up, and requests that take another's place. */
import t from 'tap'
import type { EngineEvent, EngineRequest } from '../../src/engine/engine-types.ts'
import { UNREAD_EVENTS } from '../../src/engine/generation.ts'
import { createRandom } from '../../src/engine/random.ts'
import { Scheduler } from '../../src/engine/scheduler.ts'
import { FakeModelStep } from './fake-model-step.ts'
import { collect, referenceEvents, withoutCache } from './reference-generation.ts'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const ticks = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await tick()
}

const sampled = (tokens: number[], seed: number, more: Partial<EngineRequest> = {}) => ({
  tokens,
  maxTokens: 60,
  temperature: 1,
  seed,
  stopTokens: [],
  ...more,
})

t.test(
  'readers that stop in between, more streams than slots: every reply is as alone',
  async (t) => {
    let evicted = 0
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = createRandom(seed)
      const below = (n: number): number => Math.floor(random() * n)
      const contextLength = 90
      const step = new FakeModelStep({ slots: 1 + below(3), contextLength, beforeStep: tick })
      const scheduler = new Scheduler(step, {
        chunkTokens: 2 + below(12),
        prefixBytes: below(2) * 4 * 100,
        settle: below(2) === 0,
      })
      const work = Array.from({ length: 6 }, async (_, i) => {
        const prompt = Array.from({ length: 2 + below(12) }, () => below(3))
        const branch = { tokens: prompt.toReversed(), term: 1, share: 1 }
        const isBranched = step.slots > 1 && below(3) === 0
        const request = sampled(prompt, i, {
          ...(below(2) === 0 ? { repetitionPenalty: 1.3, presencePenalty: 0.2 } : {}),
          ...(isBranched ? { branches: [branch], weights: [1.5, -0.5] } : {}),
        })
        const alone = isBranched
          ? new Scheduler(new FakeModelStep({ slots: 2, contextLength }))
          : undefined
        const expected = alone
          ? withoutCache(await collect(alone.submit(request)))
          : referenceEvents(request, contextLength)
        await alone?.dispose()
        await ticks(below(20))
        const seen: EngineEvent[] = []
        for await (const event of scheduler.submit(request)) {
          seen.push(event)
          if (below(15) === 0) await ticks(below(80))
        }
        t.same(withoutCache(seen), expected, `seed ${seed}, request ${i}`)
      })
      await Promise.all(work)
      const prompts = step.log.filter(({ kind }) => kind === 'prefill').length
      if (prompts > 12) evicted += 1
      await scheduler.dispose()
    }
    t.ok(evicted > 0, 'some gave their slot up')
  },
)

t.test(
  'a stream that nobody reads stops, gives its slot to others, and goes on when it is read',
  async (t) => {
    const step = new FakeModelStep({ slots: 1, contextLength: 90 })
    const scheduler = new Scheduler(step)
    const request = sampled([1, 2, 3], 7)
    const stream = scheduler.submit(request)[Symbol.asyncIterator]()
    await ticks(200)
    const steps = step.log.length
    t.ok(steps <= UNREAD_EVENTS + 1, `${steps} steps`)
    const other = await collect(scheduler.submit(sampled([4, 5], 8)))
    t.same(
      withoutCache(other),
      referenceEvents(sampled([4, 5], 8), 90),
      'another one runs meanwhile',
    )
    const rest = await collect({ [Symbol.asyncIterator]: () => stream })
    t.same(withoutCache(rest), referenceEvents(request, 90))
    await scheduler.dispose()
  },
)

t.test('a held stream that is aborted, and one that is never read again, do no harm', async (t) => {
  const step = new FakeModelStep({ slots: 1, contextLength: 90 })
  const scheduler = new Scheduler(step)
  const abort = new AbortController()
  const held = scheduler.submit(sampled([1, 2], 1), abort.signal)
  await ticks(100)
  await collect(scheduler.submit(sampled([3, 4], 2)))
  abort.abort()
  const seen: EngineEvent[] = []
  await t.rejects(
    (async () => {
      for await (const event of held) seen.push(event)
    })(),
    { code: 'CANCELLED' },
  )
  t.equal(seen.length, UNREAD_EVENTS, 'what waited is still delivered')
  const other = scheduler.submit(sampled([5, 6], 3))
  await ticks(100)
  await scheduler.dispose()
  await t.rejects(collect(other), { code: 'CANCELLED' })
})

t.test(
  'a request takes the place of an earlier one of its session, before those that wait',
  async (t) => {
    const step = new FakeModelStep({ slots: 1, contextLength: 90, beforeStep: tick })
    const scheduler = new Scheduler(step, { queueLimit: 1 })
    const conversation = Array.from({ length: 30 }, (_, i) => i % 7)
    const first = collect(scheduler.submit(sampled([...conversation, 1, 1], 1, { session: 'a' })))
    first.catch(() => {})
    await ticks(12)
    const order: string[] = []
    const waiting = collect(scheduler.submit(sampled([9, 9], 2, { maxTokens: 3 }))).then(() => order.push('waiting')) // prettier-ignore
    const next = sampled([...conversation, 2, 2, 8, 8], 1, { session: 'a', replyTokens: 2 })
    const heir = collect(scheduler.submit(next))
    await heir.then(() => order.push('heir'))
    await waiting
    t.same(order, ['heir', 'waiting'])
    await t.rejects(first, { code: 'CANCELLED' })
    const events = await heir
    t.same(withoutCache(events), referenceEvents(next, 90))
    t.match(events[0], { cachedTokens: conversation.length })
    await scheduler.dispose()
  },
)

t.test('a reply taken up again draws as if it had never been left', async (t) => {
  // Prompt and reply are computed alike here, so the texts can be compared.
  const whole = sampled([1, 2, 3, 4], 5, { frequencyPenalty: 0.4, repetitionPenalty: 1.2 })
  const scheduler = new Scheduler(new FakeModelStep({ slots: 1, contextLength: 90 }))
  const tokensOf = async (request: EngineRequest): Promise<number[]> =>
    (await collect(scheduler.submit(request))).flatMap((event) =>
      event.type === 'token' ? [event.token] : [],
    )
  const kept = (await tokensOf(whole)).slice(0, 20)
  const taken = {
    ...whole,
    tokens: [...whole.tokens, ...kept],
    replyTokens: kept.length,
    maxTokens: 1,
  }
  // The draw of token 20 with the logits of a prompt: the same number, the same penalties.
  const [expected] = referenceEvents(taken, 90).slice(1) as { token: number }[]
  t.same(await tokensOf(taken), [expected!.token])
  const fresh = { ...taken, replyTokens: 0 }
  const draws = new Set<number>()
  for (let seed = 0; seed < 8; seed += 1) draws.add((await tokensOf({ ...fresh, seed }))[0]!)
  t.ok(draws.size > 1)
  await scheduler.dispose()
})
