/**
 * Every reference checkpoint behind one real server, asked over HTTP alone: what comes out must be what transformers
 * computed (float32, CPU).
 */
import t, { type Test } from 'tap'
import { Completion, CompletionChunk } from '../schemas/completions.ts'
import { readFrames } from './http/client.ts'
import { expectedOf, folderOf, referenceFolders, skip } from './fixtures/reference-folders.ts'
import { startServer, type RunningServer } from './fixtures/run-server.ts'

/** float32 sums in another order, and logarithms of sums over the vocabulary. */
const TOLERANCE = 1e-3
/** The most prompts that a request may have. */
const MAX_PROMPTS = 64

const largest = (values: readonly number[]): number =>
  values.reduce((max, value) => Math.max(max, Math.abs(value)), 0)

t.test('every reference checkpoint is served', { skip }, async (t) => {
  const server = await startServer(t.testdir(), referenceFolders.flatMap((name) => ['--model', folderOf(name)])) // prettier-ignore
  t.teardown(() => server.stop())
  for (const name of referenceFolders) {
    await t.test(name, async (t) => checkFolder(t, name, server))
  }
})

async function checkFolder(t: Test, name: string, server: RunningServer): Promise<void> {
  const expected = expectedOf(name)
  const { tokens } = expected
  const complete = async (body: object): Promise<Completion> => {
    const response = await server.post('/v1/completions', { model: name, ...body })
    return Completion.parse(await response.json())
  }
  const score = { max_tokens: 0, echo: true, return_tokens_as_token_ids: true }

  await t.test('echo scores a prompt of token ids', async (t) => {
    const { choices, usage } = await complete({ prompt: tokens, logprobs: 1, return_token_ids: true, ...score }) // prettier-ignore
    const [{ logprobs, prompt_token_ids, token_ids }] = choices as [Completion['choices'][number]]
    t.same(prompt_token_ids, tokens)
    t.same(token_ids, [])
    t.match(usage, { prompt_tokens: 40, completion_tokens: 0, total_tokens: 40 })
    t.equal(logprobs!.token_logprobs[0], null)
    const differences = expected.logprob_next.map(
      (value, i) => logprobs!.token_logprobs[i + 1]! - value,
    )
    t.equal(differences.length, 39)
    t.ok(largest(differences) < TOLERANCE, `largest difference ${largest(differences)}`)
    const likeliest = logprobs!.top_logprobs.slice(1).map((top) => Object.keys(top!)[0])
    t.same(likeliest, expected.argmax.slice(0, 39).map((id) => `token_id:${id}`)) // prettier-ignore
  })

  await t.test('the logits of whole positions, by one prompt for each next token', async (t) => {
    for (const [position, logits] of Object.entries(expected.logits_at)) {
      const start = tokens.slice(0, Number(position) + 1)
      const prompt = logits.slice(0, MAX_PROMPTS).map((_, token) => [...start, token])
      const { choices } = await complete({ prompt, logprobs: 0, ...score })
      t.equal(choices.length, 48)
      // A log-probability is the logit less one number, the same for all tokens of the position.
      const less = choices.map((choice, i) => logits[i]! - choice.logprobs!.token_logprobs.at(-1)!)
      t.ok(largest(less.map((value) => value - less[0]!)) < TOLERANCE, `position ${position}`)
    }
  })

  await t.test('the greedy continuation, plain and streamed', async (t) => {
    const { prompt, next_24: next } = expected.greedy
    const body = { prompt, max_tokens: 24, temperature: 0, ignore_eos: true, return_token_ids: true } // prettier-ignore
    const { choices } = await complete({ ...body, n: 2 })
    t.same(
      choices.map((choice) => choice.token_ids),
      [next, next],
    )
    const response = await server.post('/v1/completions', { model: name, ...body, stream: true, logprobs: 0 }) // prettier-ignore
    const frames = readFrames(await response.text())
    t.equal(frames.pop(), '[DONE]')
    const chunks = frames.map((frame) => CompletionChunk.parse(JSON.parse(frame)).choices[0]!)
    t.same(
      chunks.flatMap((chunk) => chunk.token_ids ?? []),
      next,
    )
    t.equal(chunks.map((chunk) => chunk.text).join(''), choices[0]!.text)
    t.equal(chunks.flatMap((chunk) => chunk.logprobs?.token_logprobs ?? []).length, 24)
    t.equal(chunks.at(-1)!.finish_reason, 'length')
  })

  await t.test('texts and conversations become the tokens of transformers', async (t) => {
    const ask = async (path: string, body: object): Promise<Record<string, unknown>> =>
      (await server.post(path, { model: name, ...body })).json() as Promise<Record<string, unknown>>
    for (const { text, ids } of expected.tokenize) {
      t.match(await ask('/v1/tokenize', { prompt: text }), { tokens: ids, count: ids.length })
      t.equal((await ask('/detokenize', { tokens: ids })).prompt, text)
    }
    for (const { messages, text, ids } of expected.chat) {
      t.same((await ask('/tokenize', { messages })).tokens, ids)
      t.equal((await ask('/v1/apply-template', { messages })).prompt, text)
      const chat = await ask('/v1/chat/completions', { messages, max_tokens: 1, return_token_ids: true }) // prettier-ignore
      t.same(chat.prompt_token_ids, ids)
    }
  })
}
