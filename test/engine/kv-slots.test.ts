import t from 'tap'
import { KvSlots } from '../../src/engine/kv-slots.ts'
import { planDecodeRuns } from '../../src/engine/model-step.ts'
import { planBatches } from '../../src/engine/scorer.ts'

/** Runs a prompt through a slot, as the scheduler does. */
function use(slots: KvSlots, prompt: number[], options = { reuse: true }): number {
  const placement = slots.acquire(prompt, options)!
  slots.append(placement.slot, prompt.slice(placement.cachedTokens))
  return placement.slot
}

t.test('a conversation goes on in its slot; a new one takes an unused slot', async (t) => {
  const slots = new KvSlots(3, 32)
  const a = use(slots, [1, 2, 3])
  slots.release(a)
  const b = use(slots, [7, 8, 9])
  t.not(b, a)
  slots.release(b)
  t.same(slots.acquire([1, 2, 3, 4], { reuse: true }), { slot: a, cachedTokens: 3 })
  t.same(slots.acquire([7, 8, 9, 1], { reuse: true }), { slot: b, cachedTokens: 3 })
})

t.test('a short common beginning is copied and the other cache stays', async (t) => {
  const slots = new KvSlots(2, 32)
  const a = use(slots, [1, 2, 3, 4, 5, 6, 7, 8])
  slots.release(a)
  const placement = slots.acquire([1, 2, 9, 9], { reuse: true })!
  t.same(placement, { slot: 1, cachedTokens: 2, copyFrom: a })
  t.equal(slots.length(a), 8)
})

t.test('with no slot unused, the one free longest is taken', async (t) => {
  const slots = new KvSlots(2, 32)
  const a = use(slots, [1])
  const b = use(slots, [2])
  slots.release(b)
  slots.release(a)
  t.equal(slots.acquire([9, 9], { reuse: true })!.slot, b)
  t.equal(slots.freeCount, 1)
  t.equal(slots.acquire([9, 9], { reuse: true })!.slot, a)
  t.equal(slots.acquire([9, 9], { reuse: true }), null)
})

t.test('reuse can be refused, and a discarded cache is not reused', async (t) => {
  const slots = new KvSlots(1, 32)
  slots.release(use(slots, [1, 2, 3]))
  t.same(slots.acquire([1, 2, 3], { reuse: false }), { slot: 0, cachedTokens: 0 })
  slots.append(0, [1, 2, 3])
  slots.release(0, { discard: true })
  t.same(slots.acquire([1, 2, 3], { reuse: true }), { slot: 0, cachedTokens: 0 })
})

t.test('a released slot always has a position to write to', async (t) => {
  const slots = new KvSlots(1, 4)
  const slot = use(slots, [1, 2, 3, 4])
  t.throws(() => slots.append(slot, [5]), { code: 'INTERNAL' })
  slots.release(slot)
  t.equal(slots.length(slot), 3)
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
