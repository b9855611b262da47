import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { fakeAttributeModel, fakeLanguageModel } from '../services/fake-runtime.ts'

const app = await buildApp({ runtimes: [fakeLanguageModel(['He', 'llo']), fakeAttributeModel()] })
t.teardown(() => app.close())
await app.listen({ host: '127.0.0.1', port: 0 })
const { port } = app.server.address() as AddressInfo
const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 })
const messages = [{ role: 'user' as const, content: 'Hi' }]

t.test('chat completions, plain, with attributes as an extra field', async (t) => {
  const body = { model: 'village', messages, attributes: { humor: 1 } }
  const completion = await client.chat.completions.create(body)
  t.equal(completion.choices[0]!.message.content, 'Hello')
  t.match(completion, { steering: { requested: { humor: 1 }, achieved: { humor: 0.25 } } })
})

t.test('chat completions, streamed', async (t) => {
  const body = { model: 'village', messages, attributes: { humor: 1 }, stream: true as const }
  let text = ''
  for await (const chunk of await client.chat.completions.create(body)) {
    text += chunk.choices[0]?.delta.content ?? ''
  }
  t.equal(text, 'Hello')
})

t.test('the SDK’s own accumulator agrees', async (t) => {
  const runner = client.chat.completions.stream({ model: 'village', messages })
  t.equal(await runner.finalContent(), 'Hello')
})

t.test('completions, models and typed errors', async (t) => {
  const completion = await client.completions.create({ model: 'village', prompt: 'x' })
  t.equal(completion.choices[0]!.text, 'Hello')
  t.equal((await client.models.list()).data[0]!.id, 'village')
  t.equal((await client.models.retrieve('village')).owned_by, 'steerlm')
  await t.rejects(client.chat.completions.create({ model: 'gpt', messages }), {
    name: 'Error',
    status: 404,
    code: 'model_not_found',
    param: 'model',
  })
})
