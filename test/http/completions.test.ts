import t, { type Test } from 'tap'
import { Completion, CompletionChunk } from '../../schemas/completions.ts'
import { buildApp } from '../../src/app.ts'
import { fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson, readFrames } from './client.ts'

const url = '/v1/completions'

async function serve(t: Test, pieces: string[]) {
  const model = fakeLanguageModel(pieces)
  const app = await buildApp({ runtimes: [model] })
  t.teardown(() => app.close())
  return { model, post: (body: object) => postJson(app, url, { model: 'village', ...body }) }
}

t.test('a text prompt is continued by at most 16 tokens unless told otherwise', async (t) => {
  const { model, post } = await serve(t, [' a', ' time'])
  const completion = Completion.parse((await post({ prompt: 'Once upon' })).json())
  t.match(completion, {
    object: 'text_completion',
    choices: [{ index: 0, text: ' a time', logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 2 },
  })
  t.match(model.requests[0], { prompt: { text: 'Once upon' }, maxTokens: 16 })
})

t.test('prompts may be token ids, and lists of both kinds', async (t) => {
  const { model, post } = await serve(t, ['x'])
  await post({ prompt: [5, 6, 7] })
  t.same(model.requests[0]!.prompt, { tokens: [5, 6, 7] })
  const response = await post({ prompt: [[1, 2], [3]], n: 2 })
  t.same(model.requests.slice(1).map((request) => request.prompt), [{ tokens: [1, 2] }, { tokens: [1, 2] }, { tokens: [3] }, { tokens: [3] }]) // prettier-ignore
  t.equal(response.json().choices.length, 4)
  t.equal(response.json().usage.prompt_tokens, 10, 'each prompt counts once')
  t.equal((await post({ prompt: ['a', 'b'] })).json().choices.length, 2)
})

t.test('echo with max_tokens 0 and logprobs scores the prompt', async (t) => {
  const { model, post } = await serve(t, ['never'])
  const response = await post({ prompt: 'P', echo: true, max_tokens: 0, logprobs: 1 })
  const [choice] = Completion.parse(response.json()).choices
  t.equal(choice!.text, 'P')
  t.equal(choice!.finish_reason, 'length')
  t.same(choice!.logprobs, { tokens: ['P'], token_logprobs: [null], top_logprobs: [null], text_offset: [0] }) // prettier-ignore
  t.equal(model.requests[0]!.maxTokens, 0)
})

t.test('text offsets go on after the echoed prompt', async (t) => {
  const { post } = await serve(t, ['ab', 'c'])
  const response = await post({ prompt: 'P', echo: true, logprobs: 1 })
  t.same(response.json().choices[0].logprobs, {
    tokens: ['P', 'ab', 'c'],
    token_logprobs: [null, -0.5, -0.5],
    top_logprobs: [null, { t0: -1 }, { t0: -1 }],
    text_offset: [0, 1, 3],
  })
})

t.test('return_token_ids and ignore_eos work as in vLLM', async (t) => {
  const { model, post } = await serve(t, ['a', 'b'])
  const response = await post({ prompt: 'P', return_token_ids: true, ignore_eos: true })
  t.match(response.json().choices[0], { token_ids: [10, 11], prompt_token_ids: [1, 2, 3, 4, 5] })
  t.equal(model.requests[0]!.ignoreEos, true)
})

t.test('a stream joins to the plain text, with its echo, offsets and usage', async (t) => {
  const { post } = await serve(t, ['ab', 'c'])
  const stream_options = { include_usage: true }
  const response = await post({ prompt: 'P', echo: true, logprobs: 0, stream: true, stream_options }) // prettier-ignore
  const frames = readFrames(response.payload)
  t.equal(frames.pop(), '[DONE]')
  const chunks = frames.map((frame) => CompletionChunk.parse(JSON.parse(frame)))
  t.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join(''), 'Pabc')
  t.same(
    chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.text_offset ?? []),
    [0, 1, 3],
  )
  t.equal(chunks.at(-2)!.choices[0]!.finish_reason, 'stop')
  t.match(chunks.at(-1), { choices: [], usage: { total_tokens: 7 } })
})

t.test('attributes steer a raw prompt; what needs a conversation is refused', async (t) => {
  const { post, model } = await serve(t, ['x'])
  const attributes = { humor: 1 }
  const response = await post({ prompt: ['P', 'Q'], attributes, steering: { guidance: 2 } })
  t.equal(response.statusCode, 200)
  t.match(response.json().steering, { requested: { helpfulness: 4, humor: 1 }, achieved: null, rows: 2 }) // prettier-ignore
  t.match(model.requests, [
    { prompt: { text: 'P', attributes }, guidance: { scale: 2 } },
    { prompt: { text: 'Q', attributes } },
  ])
  t.equal((await post({ prompt: 'P' })).json().steering, undefined)
  for (const steering of [{ verify: true }, { guidance: 2 }, { avoid: { humor: 4 } }]) {
    const refused = await post({ prompt: 'P', steering })
    t.equal(refused.statusCode, 400)
    t.match(refused.json().error.param, /^steering\./)
  }
})
