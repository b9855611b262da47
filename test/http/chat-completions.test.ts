import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { ChatCompletion, ChatCompletionChunk } from '../../schemas/chat.ts'
import { buildApp } from '../../src/app.ts'
import { SteerError } from '../../src/errors.ts'
import { fakeAttributeModel, fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson, readFrames } from './client.ts'

const url = '/v1/chat/completions'
const body = { model: 'village', messages: [{ role: 'user', content: 'Where is the inn?' }] }

const serve = async (t: Test, ...runtimes: Parameters<typeof buildApp>[0]['runtimes']) => {
  const app = await buildApp({ runtimes })
  t.teardown(() => app.close())
  return app
}

t.test('a reply has exactly the members of the schema, with the steering report', async (t) => {
  const app = await serve(t, fakeLanguageModel(['Down ', 'the road.']), fakeAttributeModel())
  const response = await postJson(app, url, { ...body, attributes: { humor: 3 } })
  t.equal(response.statusCode, 200)
  const completion = ChatCompletion.parse(response.json())
  t.match(completion, {
    object: 'chat.completion',
    model: 'village',
    choices: [
      { index: 0, message: { role: 'assistant', content: 'Down the road.' }, logprobs: null },
    ],
    usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    steering: {
      requested: { helpfulness: 4, humor: 3, creativity: 0, verbosity: 2, toxicity: 0 },
      achieved: { helpfulness: 3.5, humor: 0.25 },
    },
  })
  t.match(completion.id, /^chatcmpl-[0-9a-f]{32}$/)
})

t.test('the conversation and the reply are what the attribute model sees', async (t) => {
  const apm = fakeAttributeModel()
  const app = await serve(t, fakeLanguageModel(['Here.']), apm)
  await postJson(app, url, { ...body, messages: [{ role: 'developer', content: [{ type: 'text', text: 'You ' }, { type: 'text', text: 'guard.' }] }, ...body.messages] }) // prettier-ignore
  t.same(apm.inputs, [
    [
      [
        { role: 'system', content: 'You guard.' },
        { role: 'user', content: 'Where is the inn?' },
        { role: 'assistant', content: 'Here.' },
      ],
    ],
  ])
})

t.test('measure: false leaves the attribute model alone', async (t) => {
  const apm = fakeAttributeModel()
  const app = await serve(t, fakeLanguageModel(['Here.']), apm)
  const response = await postJson(app, url, { ...body, steering: { measure: false } })
  t.equal(response.json().steering.achieved, null)
  t.equal(apm.inputs.length, 0)
})

t.test('a model without attributes has no steering report', async (t) => {
  const app = await serve(t, fakeLanguageModel(['Here.'], { info: { attributes: [] } }))
  const response = await postJson(app, url, body)
  t.notOk('steering' in response.json())
  ChatCompletion.parse(response.json())
})

t.test('sampling fields reach the runtime; null and unset take the defaults', async (t) => {
  const model = fakeLanguageModel(['x'])
  const app = await serve(t, model)
  await postJson(app, url, { ...body, temperature: null, top_p: 0.9, seed: 7, stop: 'END', max_completion_tokens: 9, user: 'me', store: false, metadata: { a: 'b' } }) // prettier-ignore
  t.match(model.requests[0], { temperature: 0.8, topP: 0.9, seed: 7, stop: ['END'], maxTokens: 9 })
  t.equal(model.requests[0]!.logprobs, undefined)
})

t.test('n choices draw with different seeds and count the prompt once', async (t) => {
  const model = fakeLanguageModel(['a', 'b'])
  const app = await serve(t, model)
  const response = await postJson(app, url, { ...body, n: 3, seed: 40 })
  t.same(
    response.json().choices.map((choice: { index: number }) => choice.index),
    [0, 1, 2],
  )
  t.same(model.requests.map((request) => request.seed), [40, 41, 42]) // prettier-ignore
  t.match(response.json().usage, { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 })
})

t.test('verify keeps the nearest of several replies and says how many there were', async (t) => {
  const far = { helpfulness: 0, humor: 0, creativity: 0, verbosity: 2, toxicity: 0 }
  const near = { ...far, helpfulness: 4 }
  const model = fakeLanguageModel(['a'])
  const app = await serve(t, model, fakeAttributeModel([far, near, far]))
  const steering = { verify: { attempts: 5, tolerance: 0.5 } }
  const response = await postJson(app, url, { ...body, seed: 1, steering })
  t.match(response.json().steering, { achieved: near, attempts: 2 })
  t.same(model.requests.map((request) => request.seed), [1, 2]) // prettier-ignore
  t.equal(response.json().usage.completion_tokens, 2, 'the rejected reply is counted')
})

t.test('a verified stream begins with the role and gives the chosen reply at once', async (t) => {
  const far = { helpfulness: 0, humor: 0, creativity: 0, verbosity: 2, toxicity: 0 }
  const near = { ...far, helpfulness: 3 }
  const app = await serve(t, fakeLanguageModel(['a', 'b']), fakeAttributeModel([far, near, far]))
  const steering = { verify: 3 }
  const response = await postJson(app, url, { ...body, stream: true, steering })
  const frames = readFrames(response.payload)
  const chunks = frames.slice(0, -1).map((frame) => ChatCompletionChunk.parse(JSON.parse(frame)))
  t.match(chunks[0]!.choices[0]!.delta, { role: 'assistant' })
  t.same(
    chunks.slice(1).map(({ choices }) => choices[0]!.delta.content),
    ['ab', undefined],
  )
  t.match(chunks.at(-1)!.steering, { achieved: near, distance: 0.2, attempts: 3 })
  t.same(
    chunks.at(-1)!.steering!.candidates!.map(({ distance }) => distance),
    [0.8, 0.2, 0.8],
  )
})

t.test('guidance, avoided values and presets reach the model', async (t) => {
  const model = fakeLanguageModel(['a'])
  const app = await serve(t, model)
  const post = (steering: object) => postJson(app, url, { ...body, steering })
  const avoided = await post({ avoid: { toxicity: 4 }, guidance: 3 })
  t.match(avoided.json().steering, { requested: { toxicity: 0 }, rows: 2 })
  await post({ preset: 'best' })
  t.match(model.requests, [
    { guidance: { scale: 3, avoid: { toxicity: 4 } } },
    { guidance: undefined, prompt: { attributes: { helpfulness: 4, toxicity: 0 } } },
  ])
  const bad: [object, string][] = [
    [{ guidance: -1 }, 'steering.guidance'],
    [{ guidance: 1e9 }, 'steering.guidance'],
    [{ guidance: '2' }, 'steering.guidance'],
    [{ avoid: { toxicity: 9 } }, 'steering.avoid.toxicity'],
    [{ avoid: { charm: 1 } }, 'steering.avoid.charm'],
    [{ preset: 'nobody' }, 'steering.preset'],
    [{ verify: 99 }, 'steering.verify'],
  ]
  for (const [steering, param] of bad) {
    const response = await post(steering)
    t.equal(response.statusCode, 400, param)
    t.match(response.json().error.param, param)
  }
})

t.test('logprobs come in OpenAI’s shape', async (t) => {
  const app = await serve(t, fakeLanguageModel(['né', '\ufffd']))
  const response = await postJson(app, url, { ...body, logprobs: true, top_logprobs: 2 })
  const [first, second] = ChatCompletion.parse(response.json()).choices[0]!.logprobs!.content
  t.same(first, {
    token: 'né',
    logprob: -0.5,
    bytes: [110, 195, 169],
    top_logprobs: [
      { token: 't0', logprob: -1, bytes: [116, 48] },
      { token: 't1', logprob: -2, bytes: [116, 49] },
    ],
  })
  t.equal(second!.bytes, null, 'a part of a character has no bytes to show')
})

t.test('return_token_ids adds the ids of prompt and reply', async (t) => {
  const app = await serve(t, fakeLanguageModel(['a', 'b']))
  const response = await postJson(app, url, { ...body, return_token_ids: true })
  t.match(response.json(), {
    prompt_token_ids: [1, 2, 3, 4, 5],
    choices: [{ token_ids: [10, 11] }],
  })
})

t.test('a stream is role, texts, finish with steering, usage, [DONE]', async (t) => {
  const app = await serve(t, fakeLanguageModel(['He', 'llo']), fakeAttributeModel())
  const stream_options = { include_usage: true }
  const response = await postJson(app, url, { ...body, stream: true, stream_options })
  t.match(response.headers['content-type'], /^text\/event-stream/)
  const frames = readFrames(response.payload)
  t.equal(frames.at(-1), '[DONE]')
  const chunks = frames.slice(0, -1).map((frame) => ChatCompletionChunk.parse(JSON.parse(frame)))
  t.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1)
  t.same(
    chunks.map((chunk) => [chunk.choices[0]?.delta, chunk.choices[0]?.finish_reason, chunk.usage?.total_tokens]), // prettier-ignore
    [
      [{ role: 'assistant', content: '' }, null, undefined],
      [{ content: 'He' }, null, undefined],
      [{ content: 'llo' }, null, undefined],
      [{}, 'stop', undefined],
      [undefined, undefined, 7],
    ],
  )
  t.match(chunks[3]!.steering, { requested: { helpfulness: 4 }, achieved: { helpfulness: 3.5 } })
  t.ok(chunks.slice(0, 4).every((chunk) => chunk.usage === null))
})

t.test('without include_usage no chunk has a usage', async (t) => {
  const app = await serve(t, fakeLanguageModel(['He']))
  const response = await postJson(app, url, { ...body, stream: true })
  t.notMatch(response.payload, /usage/)
})

t.test('what is wrong with a streamed request is a plain error', async (t) => {
  const app = await serve(t, fakeLanguageModel(['x']))
  const response = await postJson(app, url, { ...body, stream: true, attributes: { charm: 1 } })
  t.equal(response.statusCode, 400)
  t.match(response.json().error, { code: 'attribute_unknown', param: 'attributes.charm' })
})

t.test('an error in mid-stream is a last frame before [DONE]', async (t) => {
  const error = new SteerError('ENGINE_CRASHED', 'signal SIGKILL')
  const app = await serve(t, fakeLanguageModel(['a', 'b'], { failure: { after: 1, error } }))
  const frames = readFrames((await postJson(app, url, { ...body, stream: true })).payload)
  t.match(JSON.parse(frames.at(-2)!), { error: { code: 'engine_crashed', type: 'server_error' } })
  t.notMatch(frames.at(-2), /SIGKILL/)
  t.equal(frames.at(-1), '[DONE]')
})

for (const stream of [true, false]) {
  t.test(`a client that leaves ends the reply (stream: ${stream})`, async (t) => {
    const model = fakeLanguageModel(['a'], { hang: true })
    const app = await serve(t, model)
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const headers = { 'content-type': 'application/json' }
    const request = http.request({ port, method: 'POST', path: url, headers })
    request.on('error', () => {})
    request.end(JSON.stringify({ ...body, stream }))
    if (stream) await once((await once(request, 'response'))[0], 'data')
    else while (model.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    request.destroy()
    t.equal(await model.ended, 'left')
  })
}

t.test('priority and service_tier say how urgent a request is', async (t) => {
  const model = fakeLanguageModel(['a'])
  const app = await serve(t, model)
  for (const field of [
    {},
    { service_tier: 'flex' },
    { service_tier: 'priority' },
    { priority: 2, service_tier: 'flex' },
    { service_tier: 'auto' },
  ])
    // prettier-ignore
    t.equal((await postJson(app, url, { ...body, ...field })).statusCode, 200)
  t.same(
    model.requests.map(({ priority }) => priority),
    [undefined, 5, -5, 2, undefined],
  )
  t.equal((await postJson(app, url, { ...body, priority: 11 })).statusCode, 400)
})

t.test('return_progress tells how far the prompt is, in llama.cpp’s shape', async (t) => {
  for (const [path, prompt] of [
    [url, body],
    ['/v1/completions', { model: 'village', prompt: 'x' }],
  ] as const) {
    const app = await serve(t, fakeLanguageModel(['He']))
    const response = await postJson(app, path, { ...prompt, stream: true, return_progress: true })
    const [first] = readFrames(response.payload)
    t.match(JSON.parse(first!), {
      prompt_progress: { total: 5, cache: 2, processed: 2, time_ms: 2 },
      choices: [{ index: 0, finish_reason: null }],
    })
    if (path === url) ChatCompletionChunk.parse(JSON.parse(first!))
    const plain = await postJson(app, path, { ...prompt, return_progress: true })
    t.notMatch(plain.payload, /prompt_progress/)
  }
})

t.test('a stream that has to wait begins with comments; its error comes as a frame', async (t) => {
  const begin = Promise.withResolvers<void>()
  const app = await serve(t, fakeLanguageModel(['He'], { begin: begin.promise }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`http://127.0.0.1:${port}${url}`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ ...body, stream: true, sse_ping_interval: 1 }),
  })
  t.equal(response.status, 200)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  t.equal((await reader.read()).value, ': ping\n\n')
  t.equal((await reader.read()).value, ': ping\n\n', 'and again after a second')
  begin.reject(new SteerError('QUEUE_FULL', 'too late'))
  let rest = ''
  for (let item = await reader.read(); !item.done; item = await reader.read()) rest += item.value
  const frames = readFrames(rest)
  t.match(JSON.parse(frames[0]!), { error: { code: 'queue_full' } })
  t.equal(frames[1], '[DONE]')
})

t.test('every answer has a request id, the client’s where it is sane, and its time', async (t) => {
  const app = await serve(t, fakeLanguageModel(['He']))
  const ids = async (sent: string | undefined, payload: object) => {
    const headers = sent === undefined ? {} : { 'x-request-id': sent }
    const response = await app.inject({ method: 'POST', url, payload, headers })
    t.match(response.headers['openai-processing-ms'], /^\d+$/)
    return [response.statusCode, response.headers['x-request-id']]
  }
  t.same(await ids('mine.7', body), [200, 'mine.7'])
  t.same(await ids('mine.8', { ...body, stream: true }), [200, 'mine.8'])
  t.same(await ids('mine.9', { ...body, model: 'gpt' }), [404, 'mine.9'])
  const [status, made] = await ids(`${'x'.repeat(200)} {}`, {})
  t.equal(status, 400)
  t.match(made, /^[0-9a-f-]{36}$/)
  const missing = await app.inject('/v1/nothing')
  t.match(missing.headers, { 'x-request-id': /./, 'openai-processing-ms': /^\d+$/ })
})
