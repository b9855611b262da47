import t from 'tap'
import { KvCache } from '../../src/engine/kv-cache.ts'
import { planDecodeRuns } from '../../src/engine/model-step.ts'
import { planBatches } from '../../src/engine/scorer.ts'
import { FakeModelStep } from './fake-model-step.ts'

/** A cache over the fake step, and prompts run through it as the scheduler does. */
function createCache(options: { slots: number; contextLength: number; prefixTokens?: number }) {
  const step = new FakeModelStep(options)
  const cache = new KvCache(step, 4 * (options.prefixTokens ?? 0))
  const admit = (tokens: number[], { space = '', reuse = true } = {}) => {
    const placement = cache.admit({ tokens, space, reuse })
    if (placement) {
      const held = step.cache[placement.slot]!.slice(0, placement.cachedTokens)
      t.same(held, tokens.slice(0, placement.cachedTokens), 'the slot holds what is called cached')
    }
    return placement
  }
  return {
    cache,
    step,
    admit,
    async use(tokens: number[], options = {}): Promise<{ slot: number; cachedTokens: number }> {
      const placement = admit(tokens, options)!
      const { slot, cachedTokens: start } = placement
      const fresh = tokens.slice(start)
      await step.prefill({ slot, tokens: fresh, start, logitPositions: [0] })
      cache.append(slot, fresh, { exact: true })
      return placement
    },
  }
}

const count = (length: number, from = 0): number[] => Array.from({ length }, (_, i) => from + i)

t.test('a conversation goes on in its slot; a new one takes an unused slot', async (t) => {
  const { cache, use, admit } = createCache({ slots: 3, contextLength: 32 })
  const { slot: a } = await use([1, 2, 3])
  cache.release(a)
  const { slot: b } = await use([7, 8, 9])
  t.not(b, a)
  cache.release(b)
  t.same(admit([1, 2, 3, 4, 5]), { slot: a, cachedTokens: 3 })
  t.same(admit([7, 8, 9, 1, 1]), { slot: b, cachedTokens: 3 })
})

t.test('two tokens of a prompt are always computed', async (t) => {
  const { cache, use, admit } = createCache({ slots: 1, contextLength: 32 })
  cache.release((await use([1, 2, 3, 4])).slot)
  t.same(admit([1, 2, 3, 4]), { slot: 0, cachedTokens: 2 })
  cache.release(0)
  t.same(admit([1]), { slot: 0, cachedTokens: 0 })
})

t.test('what was computed token by token is not reused', async (t) => {
  const { cache, use, admit } = createCache({ slots: 1, contextLength: 32 })
  const { slot } = await use([1, 2, 3])
  cache.append(slot, [4], { exact: false })
  cache.append(slot, [5, 6], { exact: true })
  cache.release(slot)
  t.same(admit([1, 2, 3, 4, 5, 6, 7, 8]), { slot: 0, cachedTokens: 3 })
})

t.test('a settled reply is reused', async (t) => {
  const { cache, step, use, admit } = createCache({ slots: 2, contextLength: 128 })
  const { slot } = await use([1, 2, 3])
  const reply = count(65, 4)
  for (const token of reply) {
    await step.decode({ first: slot, tokens: [token], positions: [cache.length(slot)] })
    cache.append(slot, [token], { exact: false })
  }
  t.notOk(cache.hasUnsettled, 'not while it is in use')
  cache.release(slot)
  const before = step.log.length
  while (cache.hasUnsettled) await cache.settle()
  t.same(
    step.log.slice(before).map(({ tokens }) => tokens),
    [32, 33],
    'in pieces, none of a single token',
  )
  t.same(admit([1, 2, 3, ...reply, 9, 9]), { slot, cachedTokens: 68 })
})

t.test('a short common beginning is copied and the other cache stays', async (t) => {
  const { cache, use, admit } = createCache({ slots: 2, contextLength: 32 })
  const { slot: a } = await use([1, 2, 3, 4, 5, 6, 7, 8])
  cache.release(a)
  t.same(admit([1, 2, 9, 9]), { slot: 1, cachedTokens: 2 })
  t.equal(cache.length(a), 8)
})

t.test('with no slot unused, the one free longest is taken', async (t) => {
  const { cache, use, admit } = createCache({ slots: 2, contextLength: 32 })
  const { slot: a } = await use([1])
  const { slot: b } = await use([2])
  cache.release(b)
  cache.release(a)
  t.equal(admit([9, 9])!.slot, b)
  t.equal(cache.freeSlots, 1)
  t.equal(admit([9, 9])!.slot, a)
  t.equal(admit([9, 9]), null)
})

t.test('reuse can be refused, and a discarded cache is not reused', async (t) => {
  const { cache, use, admit } = createCache({ slots: 1, contextLength: 32 })
  cache.release((await use([1, 2, 3])).slot)
  t.same(await use([1, 2, 3], { reuse: false }), { slot: 0, cachedTokens: 0 })
  cache.release(0, { discard: true })
  t.same(admit([1, 2, 3]), { slot: 0, cachedTokens: 0 })
})

t.test('a released slot always has a position to write to', async (t) => {
  const { cache, use } = createCache({ slots: 1, contextLength: 4 })
  const { slot } = await use([1, 2, 3, 4])
  t.throws(() => cache.append(slot, [5], { exact: true }), { code: 'INTERNAL' })
  cache.release(slot)
  t.equal(cache.length(slot), 3)
})

t.test('a system prompt survives although all slots were used by others', async (t) => {
  const { cache, use } = createCache({ slots: 2, contextLength: 128, prefixTokens: 128 })
  const persona = count(40)
  cache.release((await use([...persona, 90, 91, 92])).slot)
  for (const other of [50, 60, 70]) cache.release((await use(count(20, other))).slot)
  t.equal((await use([...persona, 80, 81])).cachedTokens, 32, 'whole blocks of 16')
})

t.test('the prefix found last before the first piece counts', async (t) => {
  const { cache, admit, step } = createCache({ slots: 2, contextLength: 64 })
  const prompt = count(20)
  const first = admit(prompt)!
  const second = admit(prompt)!
  t.equal(second.cachedTokens, 0, 'nothing was computed yet')
  await step.prefill({ slot: first.slot, tokens: prompt, start: 0, logitPositions: [0] })
  cache.append(first.slot, prompt, { exact: true })
  t.equal(cache.extend(second.slot, { tokens: prompt, space: '', reuse: true }), 18)
  t.same(step.cache[second.slot]!.slice(0, 18), prompt.slice(0, 18))
})

t.test('prompts of different weights share nothing', async (t) => {
  const { cache, use } = createCache({ slots: 2, contextLength: 64, prefixTokens: 64 })
  const prompt = count(34)
  cache.release((await use(prompt)).slot)
  t.equal((await use(prompt, { space: 'adapter' })).cachedTokens, 0)
  cache.release(1)
  for (const other of [40, 41]) cache.release((await use(count(9, other))).slot)
  t.equal((await use(prompt, { space: 'adapter' })).cachedTokens, 32, 'from the tree')
  cache.release(0)
  t.equal((await use(prompt, { space: 'third' })).cachedTokens, 0)
})

t.test('decode runs skip large gaps and fill small ones', async (t) => {
  t.same(planDecodeRuns([]), [])
  t.same(planDecodeRuns([0, 1, 2]), [{ first: 0, count: 3 }])
  t.same(planDecodeRuns([1, 4]), [{ first: 1, count: 4 }])
  t.same(planDecodeRuns([0, 4, 7]), [
    { first: 0, count: 1 },
    { first: 4, count: 4 },
  ])
})

t.test('score batches hold every row once, within rows and padded tokens', async (t) => {
  const lengths = [...Array.from({ length: 40 }, (_, i) => 10 + ((i * 37) % 900)), 9000]
  const batches = planBatches(lengths)
  t.same(
    batches.flat().toSorted((a, b) => a - b),
    lengths.map((_, i) => i),
  )
  for (const batch of batches) {
    const longest = Math.max(...batch.map((i) => lengths[i]!))
    t.ok(batch.length <= 16)
    t.ok(batch.length === 1 || batch.length * longest <= 4096)
  }
  t.same(planBatches([]), [])
})
