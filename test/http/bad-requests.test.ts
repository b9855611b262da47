import t from 'tap'
import { ErrorResponse } from '../../schemas/common.ts'
import { buildApp } from '../../src/app.ts'
import { fakeAttributeModel, fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson } from './client.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const chat = { model: 'village', messages }
const completion = { model: 'village', prompt: 'Hi' }
const failing = { failure: { after: 0, error: new Error('secret path') } }
const app = await buildApp({
  runtimes: [
    fakeLanguageModel(['x']),
    fakeAttributeModel(),
    fakeLanguageModel(['x'], { ...failing, info: { id: 'broken' } }),
  ],
  bodyLimitBytes: 20_000,
})
t.teardown(() => app.close())

type Case = [name: string, url: string, body: object, status: number, code: string, param: string | null] // prettier-ignore

const cases: Case[] = [
  ['an unknown model', '/v1/chat/completions', { ...chat, model: 'gpt' }, 404, 'model_not_found', 'model'],
  ['a missing model', '/v1/chat/completions', { messages }, 400, 'bad_request', 'model'],
  ['an attribute model asked for text', '/v1/chat/completions', { ...chat, model: 'village-apm' }, 400, 'model_not_generative', 'model'],
  ['no messages', '/v1/chat/completions', { ...chat, messages: [] }, 400, 'bad_request', 'messages'],
  ['an unknown role', '/v1/chat/completions', { ...chat, messages: [{ role: 'tool', content: '' }] }, 400, 'bad_request', 'messages.0.role'],
  ['an image part', '/v1/chat/completions', { ...chat, messages: [{ role: 'user', content: [{ type: 'image_url', text: '' }] }] }, 400, 'bad_request', 'messages.0.content.0.type'],
  ['attributes on a user message', '/v1/chat/completions', { ...chat, messages: [{ ...messages[0], attributes: { humor: 1 } }] }, 400, 'bad_request', 'messages.0.attributes'],
  ['an unknown attribute', '/v1/chat/completions', { ...chat, attributes: { charm: 1 } }, 400, 'attribute_unknown', 'attributes.charm'],
  ['a value out of range', '/v1/chat/completions', { ...chat, attributes: { humor: 4.1 } }, 400, 'attribute_out_of_range', 'attributes.humor'],
  ['a value that is no number', '/v1/chat/completions', { ...chat, attributes: { humor: 'high' } }, 400, 'bad_request', 'attributes.humor'],
  ['an unknown steering key', '/v1/chat/completions', { ...chat, steering: { strength: 2 } }, 400, 'bad_request', 'steering.strength'],
  ['guidance beyond its range', '/v1/chat/completions', { ...chat, steering: { guidance: 10.5 } }, 400, 'bad_request', 'steering.guidance'],
  ['an unknown attribute to avoid', '/v1/chat/completions', { ...chat, steering: { avoid: { charm: 1 } } }, 400, 'attribute_unknown', 'steering.avoid.charm'],
  ['an unknown preset', '/v1/chat/completions', { ...chat, steering: { preset: 'rude' } }, 400, 'bad_request', 'steering.preset'],
  ['no replies to choose among', '/v1/chat/completions', { ...chat, stream: true, steering: { verify: 0 } }, 400, 'bad_request', 'steering.verify'],
  ['a text to be verified', '/v1/completions', { ...completion, attributes: { humor: 1 }, steering: { verify: 2 } }, 400, 'bad_request', 'steering.verify'],
  ['tools', '/v1/chat/completions', { ...chat, tools: [{ type: 'function' }] }, 400, 'bad_request', 'tools'],
  ['an unknown response format', '/v1/chat/completions', { ...chat, response_format: { type: 'yaml' } }, 400, 'bad_request', 'response_format.type'],
  ['two constraints', '/v1/chat/completions', { ...chat, response_format: { type: 'json_object' }, structured_outputs: { choice: ['a'] } }, 400, 'bad_request', 'structured_outputs'],
  ['a constraint that may not end', '/v1/completions', { ...completion, structured_outputs: { regex: 'a' }, ignore_eos: true }, 400, 'bad_request', 'ignore_eos'],
  ['a field nobody knows', '/v1/chat/completions', { ...chat, reasoning_effort: 'high' }, 400, 'bad_request', 'reasoning_effort'],
  ['top_logprobs without logprobs', '/v1/chat/completions', { ...chat, top_logprobs: 3 }, 400, 'bad_request', 'top_logprobs'],
  ['a temperature out of range', '/v1/chat/completions', { ...chat, temperature: 3 }, 400, 'bad_request', 'temperature'],
  ['an empty prompt list', '/v1/completions', { ...completion, prompt: [] }, 400, 'bad_request', 'prompt'],
  ['best_of', '/v1/completions', { ...completion, best_of: 4 }, 400, 'bad_request', 'best_of'],
  ['a language model asked to predict', '/v1/attributes/predict', chat, 400, 'model_not_predictive', 'model'],
  ['a prediction of nothing', '/v1/attributes/predict', { model: 'village-apm' }, 400, 'bad_request', 'messages'],
  ['an empty list of inputs', '/v1/attributes/predict', { model: 'village-apm', inputs: [] }, 400, 'bad_request', 'inputs'],
  ['a body over the limit', '/v1/completions', { ...completion, prompt: 'x'.repeat(20_001) }, 413, 'body_too_large', null],
  ['an unknown path', '/v1/nothing', {}, 404, 'not_found', null],
  ['a wrong method', '/v1/models/village', {}, 405, 'method_not_allowed', null],
] // prettier-ignore

for (const [name, url, body, status, code, param] of cases) {
  t.test(`${name} is a ${status} ${code}`, async (t) => {
    const response = await postJson(app, url, body)
    t.equal(response.statusCode, status)
    const { error } = ErrorResponse.parse(response.json())
    t.match(error, { code, param, type: 'invalid_request_error' })
    t.ok(error.message.length > 20, error.message)
  })
}

const raw = (payload: string, type = 'application/json') =>
  app.inject({ method: 'POST', url: '/v1/completions', payload, headers: { 'content-type': type } })

t.test('malformed JSON, an empty body and another content type have their codes', async (t) => {
  t.match((await raw('{"model":')).json(), { error: { code: 'invalid_json' } })
  t.match((await raw('')).json(), { error: { code: 'invalid_json' } })
  t.match((await raw('[]')).json(), { error: { code: 'bad_request', param: null } })
  t.match((await raw('{"__proto__":{"a":1}}')).json(), { error: { code: 'invalid_json' } })
  const response = await raw('<x/>', 'text/xml')
  t.equal(response.statusCode, 415)
  t.match(response.json(), { error: { code: 'unsupported_media_type' } })
})

t.test('an inner error says nothing of the inside', async (t) => {
  const response = await postJson(app, '/v1/chat/completions', { ...chat, model: 'broken' })
  t.equal(response.statusCode, 500)
  t.same(response.json(), {
    error: { message: 'Something went wrong here', type: 'server_error', param: null, code: 'internal' }, // prettier-ignore
  })
})

t.test('a 405 names the methods there are', async (t) => {
  const response = await app.inject({ method: 'DELETE', url: '/v1/models' })
  t.equal(response.statusCode, 405)
  t.match(response.headers.allow, /GET/)
})

t.test('every answer has a request id: the caller’s, if it is harmless', async (t) => {
  const send = (id: string) => app.inject({ url: '/health', headers: { 'x-request-id': id } })
  t.equal((await send('abc-1')).headers['x-request-id'], 'abc-1')
  t.match((await send('a b\u0000')).headers['x-request-id'], /^[0-9a-f-]{36}$/)
  t.ok((await app.inject('/nothing')).headers['x-request-id'])
})
