import t from 'tap'
import { createEngine } from '../../src/engine/index.ts'
import { rateReplies } from '../../src/services/rate-replies.ts'
import { expectedOf, folderOf, skip } from '../fixtures/reference-folders.ts'

t.test('a reply’s log-probability is the sum of transformers’', { skip }, async (t) => {
  const { tokens, logprob_next: reference } = expectedOf('llama-tied')
  const engine = await createEngine({ modelDir: folderOf('llama-tied'), threads: 1 })
  t.teardown(() => engine.dispose())
  const sum = (from: number, to: number): number =>
    reference.slice(from - 1, to - 1).reduce((total, value) => total + value, 0)
  const prompt = tokens.slice(0, 30)
  const replies = [tokens.slice(30, 31), tokens.slice(30, 35), tokens.slice(30, 40)]
  const { logprobs } = await rateReplies(engine.generate, { prompt, replies, request: {} })
  for (const [i, end] of [31, 35, 40].entries()) {
    const wanted = sum(30, end)
    t.ok(Math.abs(logprobs[i]! - wanted) < 1e-3, `${logprobs[i]} for ${wanted}`)
  }
  const again = await rateReplies(engine.generate, { prompt, replies, request: {} })
  t.ok(again.cachedTokens > 20, 'the prompt is found in the cache')
  const gone = rateReplies(engine.generate, { prompt, replies, request: {} }, AbortSignal.abort())
  await t.rejects(gone, { code: 'CANCELLED' })
})
