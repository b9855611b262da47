/** What models say of texts: decisions, embeddings, ratings in NVIDIA's and KServe's shapes. */
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import t from 'tap'
import { ChatCompletion } from '../../schemas/chat.ts'
import { Decision } from '../../schemas/decisions.ts'
import { EmbeddingList } from '../../schemas/embeddings.ts'
import { InferenceModel, InferenceResponse } from '../../schemas/inference.ts'
import { buildApp } from '../../src/app.ts'
import { fakeAttributeModel, fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson } from './client.ts'

const apm = fakeAttributeModel()
const app = await buildApp({ runtimes: [fakeLanguageModel(['Hi']), apm] })
t.teardown(() => app.close())
await app.listen({ host: '127.0.0.1', port: 0 })
const { port } = app.server.address() as AddressInfo
const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 })

const conversation = [
  { role: 'user', content: 'Where is the inn?' },
  { role: 'assistant', content: 'Down the road.' },
]
const near = (a: number, b: number) => Math.abs(a - b) < 1e-6

t.test('a language model answers by the likelihood of each option', async (t) => {
  const questions = [
    { type: 'predicate', name: 'lost', instructions: 'Is the player lost?' },
    { type: 'choice', instructions: [{ type: 'input_text', text: 'What is wanted?' }], choices: [{ value: 'ab' }, { value: 'a', description: 'the first' }, { value: true }] }, // prettier-ignore
    { type: 'score', name: 'urgency', instructions: 'How urgent?', levels: [{ label: 'low' }, { label: 'middle' }] }, // prettier-ignore
  ]
  const body = { model: 'village', input: 'Where is the inn?', questions }
  const decision = Decision.parse(await client.post('/decisions', { body }))
  const [lost, wanted, urgency] = decision.answers
  // A letter more is e times less likely: yes has three letters, no has two.
  const yes = Math.exp(-3) / (Math.exp(-3) + Math.exp(-2))
  t.match(lost, { type: 'predicate', name: 'lost' })
  t.ok(lost?.type === 'predicate' && near(lost.probability, yes))
  t.match(wanted, { type: 'choice', name: null, choice: 'a' })
  if (wanted?.type !== 'choice' || urgency?.type !== 'score') return
  t.ok(near(wanted.probabilities.reduce((sum, item) => sum + item.probability, 0), 1)) // prettier-ignore
  t.equal(wanted.probabilities[2]!.value, true)
  t.equal(wanted.confidence, wanted.probabilities[1]!.probability)
  const middle = Math.exp(-6) / (Math.exp(-3) + Math.exp(-6))
  t.ok(near(urgency.score, middle))
  t.match(urgency.probabilities, [{ label: 'low', value: 0 }, { label: 'middle', value: 1 }]) // prettier-ignore
  t.match(decision.usage, { output_tokens: 0, input_tokens_details: { cached_tokens: 6 } })
})

t.test('a declared attribute is answered by the attribute model, under either name', async (t) => {
  const question = { type: 'score', name: 'humor', instructions: 'How funny?' }
  for (const model of ['village', 'village-apm']) {
    const body = { model, input: conversation, questions: [question] }
    const [answer] = Decision.parse((await postJson(app, '/v1/decisions', body)).json()).answers
    if (answer?.type !== 'score') return t.fail('a score')
    // The model says 0.25.
    t.ok(answer.score > 0 && answer.score < 0.6, `score ${answer.score}`)
    t.equal(answer.probabilities.length, 5)
    t.equal(answer.probabilities[0]!.label, 'none')
    t.ok(answer.confidence > 0.6)
  }
  t.match(apm.inputs.at(-1), [conversation])
  const text = { model: 'village-apm', input: 'Ha!', questions: [question] }
  t.equal((await postJson(app, '/v1/decisions', text)).statusCode, 200)
  t.match(apm.inputs.at(-1), [[{ role: 'assistant', content: 'Ha!' }]])
})

t.test('questions that are not well put are refused', async (t) => {
  const score = { type: 'score', name: 'humor', instructions: 'x' }
  const wrong: [object, string, string | RegExp][] = [
    [{ questions: [] }, 'bad_request', 'questions'],
    [{ questions: [{ type: 'guess', instructions: 'x' }] }, 'bad_request', /questions\.0/],
    [{ questions: [{ ...score, name: 'charm' }] }, 'bad_request', 'questions.0.levels'],
    [{ questions: [{ ...score, levels: [{ label: 'a' }, { label: 'b' }] }] }, 'bad_request', 'questions.0.levels'], // prettier-ignore
    [{ questions: [{ type: 'choice', instructions: 'x', choices: [{ value: 'true' }, { value: true }] }] }, 'bad_request', 'questions.0.choices'], // prettier-ignore
    [{ questions: [score], input: [{ role: 'user', content: 'x' }] }, 'bad_request', 'input'],
    [{ model: 'village-apm', questions: [{ type: 'predicate', instructions: 'x' }] }, 'model_not_generative', 'model'], // prettier-ignore
    [{ model: 'gpt', questions: [score] }, 'model_not_found', 'model'],
  ]
  for (const [change, code, param] of wrong) {
    const body = { model: 'village', input: 'x', ...change }
    const response = await postJson(app, '/v1/decisions', body)
    t.ok(response.statusCode < 500, JSON.stringify(change))
    t.match(response.json().error, { code, param })
  }
})

t.test('the SDK gets embeddings, which it asks for in base64', async (t) => {
  const list = await client.embeddings.create({ model: 'village', input: ['ab', 'c'] })
  t.equal(list.data.length, 2)
  t.ok(list.data[1]!.embedding.every((value, i) => Math.abs(value - [0.6, 0.8][i]!) < 1e-6))
  t.same(list.usage, { prompt_tokens: 3, total_tokens: 3 })
  const plain = await client.embeddings.create({ model: 'village-apm', input: [[1, 2], [3]], encoding_format: 'float' }) // prettier-ignore
  t.equal(plain.data[0]!.embedding.length, 2)
  const body = { model: 'village', input: [5, 6, 7], dimensions: 1, pooling: 'last' }
  const short = EmbeddingList.parse((await postJson(app, '/v1/embeddings', body)).json())
  t.same(short.data.map(({ embedding }) => embedding), [[1]]) // prettier-ignore
  t.equal(short.usage.prompt_tokens, 3)
})

t.test('inputs that cannot be embedded are refused', async (t) => {
  for (const change of [
    { input: '' },
    { input: [] },
    { input: [-1] },
    { input: [[]] },
    { input: [''] },
    { dimensions: 3 },
    { dimensions: 0 },
    { encoding_format: 'hex' },
  ]) {
    // prettier-ignore
    const body = { model: 'village', input: 'x', ...change }
    t.equal((await postJson(app, '/v1/embeddings', body)).statusCode, 400, JSON.stringify(change))
  }
})

t.test(
  'a chat with an attribute model is a rating, as NVIDIA’s reward models give it',
  async (t) => {
    const body = { model: 'village-apm', messages: conversation }
    const response = await postJson(app, '/v1/chat/completions', body)
    const { choices } = ChatCompletion.parse(response.json())
    const text = 'helpfulness:3.5,humor:0.25,creativity:1,verbosity:2,toxicity:0'
    t.equal(choices[0]!.message.content, text)
    const values = choices[0]!.logprobs!.content.map(({ token, logprob }) => `${token}:${logprob}`)
    t.equal(values.join(','), text)
    for (const change of [{ stream: true }, { n: 2 }, { attributes: { humor: 1 } }]) {
      const refused = await postJson(app, '/v1/chat/completions', { ...body, ...change })
      t.match(refused.json().error, { code: 'bad_request', param: Object.keys(change)[0] })
    }
  },
)

t.test('KServe’s protocol: health, metadata, infer', async (t) => {
  t.same((await app.inject('/v2/health/live')).json(), { live: true })
  t.same((await app.inject('/v2/health/ready')).json(), { ready: true })
  t.same((await app.inject('/v2/models/village-apm/ready')).json(), { ready: true })
  t.match((await app.inject('/v2')).json(), { name: 'steerlm' })
  const model = InferenceModel.parse((await app.inject('/v2/models/village-apm')).json())
  t.match(model.outputs[0], { name: 'rewards', datatype: 'FP32', shape: [-1, 5] })
  const infer = (body: object) => postJson(app, '/v2/models/village-apm/infer', body)
  const tensor = (name: string, data: unknown[], shape = [data.length]) => ({ name, shape, datatype: 'BYTES', data }) // prettier-ignore

  const two = JSON.stringify(conversation)
  const rated = InferenceResponse.parse(
    (await infer({ id: 'a', inputs: [tensor('messages', [[two], [two]], [2, 1])] })).json(),
  )
  t.match(rated, { model_name: 'village-apm', id: 'a' })
  t.same(rated.outputs[0], {
    name: 'rewards',
    datatype: 'FP32',
    shape: [2, 5],
    data: [3.5, 0.25, 1, 2, 0, 3.5, 0.25, 1, 2, 0],
  })
  t.match(apm.inputs.at(-1), [conversation, conversation])

  const pair = [tensor('prompt', ['Where?']), tensor('response', ['There.'])]
  const outputs = [{ name: 'toxicity' }, { name: 'humor' }]
  const named = (await infer({ inputs: pair, outputs })).json()
  t.match(named.outputs, [
    { name: 'toxicity', data: [0] },
    { name: 'humor', data: [0.25] },
  ])
  t.match(apm.inputs.at(-1), [[{ role: 'user', content: 'Where?' }, { content: 'There.' }]])
  await infer({ inputs: [tensor('sentences', ['whole text'])] })
  t.same(apm.inputs.at(-1), [{ text: 'whole text' }])

  for (const body of [
    {},
    { inputs: [] },
    { inputs: [tensor('pixels', ['x'])] },
    { inputs: [tensor('sentences', ['x'], [2])] },
    { inputs: [tensor('sentences', ['x', 'y'], [1, 2])] },
    { inputs: [tensor('messages', ['{'])] },
    { inputs: [tensor('messages', ['[]'])] },
    { inputs: [tensor('prompt', ['x'])] },
    { inputs: [tensor('sentences', ['x'])], outputs: [{ name: 'charm' }] },
  ]) {
    const refused = await infer(body)
    t.equal(refused.statusCode, 400, JSON.stringify(body))
    t.type(refused.json().error, 'string')
  }
  t.equal((await app.inject('/v2/models/gpt')).statusCode, 404)
  t.equal((await app.inject('/v2/models/village')).statusCode, 400)
})
