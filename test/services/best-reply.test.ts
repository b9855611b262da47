/** Which of several replies is given, and what is still written once that is clear. */
import t from 'tap'
import { SteerError } from '../../src/errors.ts'
import { bestReply, type BestReplyOptions } from '../../src/services/best-reply.ts'
import type { Choice } from '../../src/services/generation-types.ts'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const requested = { humor: 2, verbosity: 2 }
const replyOf = (text: string): Choice => ({
  text,
  tokens: [],
  finishReason: 'stop',
  usage: { promptTokens: 1, completionTokens: 1, cachedTokens: 0 },
})

/** Reply i takes `ticks[i]` and then measures `values[i]` above the request in humor. */
function script(values: number[], ticks: number[], more: Partial<BestReplyOptions> = {}) {
  const scored: number[][] = []
  const aborted: number[] = []
  const run = bestReply(
    {
      attempts: values.length,
      tolerance: 0.5,
      requested,
      atOnce: values.length,
      async write(attempt, signal, onTokens) {
        for (let i = 0; i < ticks[attempt]!; i += 1) {
          await tick()
          if (signal.aborted) {
            aborted.push(attempt)
            throw new SteerError('CANCELLED', 'by the caller')
          }
          onTokens(1)
        }
        return replyOf(String(attempt))
      },
      async score(replies) {
        scored.push(replies.map(({ text }) => Number(text)))
        await tick()
        return replies.map(({ text }) => ({ humor: 2 + values[Number(text)]!, verbosity: 2 }))
      },
      ...more,
    },
    new AbortController().signal,
  )
  return { run, scored, aborted }
}

t.test('the nearest of all when none is close enough, the first among equals', async (t) => {
  const { run, scored } = script([2, -1, 1, 1.5], [3, 3, 3, 3])
  const best = await run
  t.equal(best.reply.text, '1')
  t.match(best, { distance: 0.5, achieved: { humor: 1, verbosity: 2 }, completionTokens: 12 })
  t.same(
    best.candidates.map(({ distance }) => distance),
    [1, 0.5, 0.5, 0.75],
  )
  t.same(scored.flat().toSorted(), [0, 1, 2, 3])
  t.ok(scored.length < 4, `${scored.length} calls of the attribute model for 4 replies`)
})

t.test(
  'the first close one is given, however fast the others are; the rest are cut off',
  async (t) => {
    for (const ticks of [
      [9, 6, 3, 30, 30],
      [1, 2, 40, 40, 40],
      [20, 1, 1, 1, 30],
    ]) {
      const { run, aborted } = script([2, 0.25, 0, 0, 0], ticks)
      const best = await run
      t.equal(best.reply.text, '1')
      t.same(best.candidates.length, 2)
      t.ok(aborted.includes(4), 'what cannot be chosen any more is cut off')
    }
  },
)

t.test('few at once: no more are begun than can still be chosen', async (t) => {
  const begun: number[] = []
  const { run } = script([1, 0, 0, 0], [1, 1, 1, 1], {
    atOnce: 1,
    async write(attempt) {
      begun.push(attempt)
      return replyOf(String(attempt))
    },
  })
  t.equal((await run).reply.text, '1')
  t.same(begun, [0, 1])
})

t.test('a reply or a score that fails fails the whole', async (t) => {
  const failing = async () => {
    throw new Error('broken')
  }
  await t.rejects(script([1, 1], [2, 2], { score: failing }).run, /broken/)
  await t.rejects(script([1, 1], [2, 2], { write: failing }).run, /broken/)
})
