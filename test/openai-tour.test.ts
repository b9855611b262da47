/** A tour of the whole server by the official SDK, with no workaround: what its users do, on the bundled model. */
import type { AddressInfo } from 'node:net'
import OpenAI, { APIUserAbortError } from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import t from 'tap'
import { z } from 'zod'
import { readConfig } from '../src/config.ts'
import { createServer } from '../src/wiring.ts'
import { pgliteHome } from './fixtures/databases.ts'

const server = await createServer(readConfig({ home: await pgliteHome(t) }, {}), false)
t.teardown(() => server.close())
await server.app.listen({ host: '127.0.0.1', port: 0 })
const { port } = server.app.server.address() as AddressInfo
const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 })

const model = 'village'
const messages = [{ role: 'user' as const, content: 'Where is the old bridge, guard?' }]
const seeded = { model, messages, seed: 7, max_tokens: 24 }

t.test('models, chat, and the same reply streamed', async (t) => {
  const models = await client.models.list()
  t.same(models.data.map(({ id }) => id).toSorted(), ['village', 'village-apm'])
  const plain = await client.chat.completions.create(seeded)
  const text = plain.choices[0]!.message.content!
  t.ok(text.length > 10)
  t.ok(plain.usage!.total_tokens > 0)
  let streamed = ''
  let usage = 0
  const stream = await client.chat.completions.create({ ...seeded, stream: true, stream_options: { include_usage: true } }) // prettier-ignore
  for await (const chunk of stream) {
    streamed += chunk.choices[0]?.delta.content ?? ''
    usage = chunk.usage?.total_tokens ?? 0
  }
  t.equal(streamed, text)
  t.equal(usage, plain.usage!.total_tokens)
  const runner = client.chat.completions.stream(seeded)
  t.equal(await runner.finalContent(), text)
  const { response } = await client.chat.completions.create(seeded).withResponse()
  t.ok(response.headers.get('x-request-id'))
})

t.test('n choices, log-probabilities, stop, attributes', async (t) => {
  const body = { ...seeded, n: 3, logprobs: true, top_logprobs: 2, attributes: { toxicity: 4 } }
  const { choices } = await client.chat.completions.create(body)
  t.equal(new Set(choices.map(({ message }) => message.content)).size, 3)
  for (const { logprobs, message } of choices) {
    const tokens = logprobs!.content!
    t.equal(tokens.map(({ token }) => token).join(''), message.content)
    t.ok(tokens.every((item) => item.logprob <= 0 && item.top_logprobs.length === 2))
  }
  const [first] = choices
  const word = first!.message.content!.split(' ')[2]!
  const cut = await client.chat.completions.create({ ...body, n: 1, stop: word })
  t.notOk(cut.choices[0]!.message.content!.includes(word))
  t.equal(cut.choices[0]!.finish_reason, 'stop')
})

t.test('completions with echo score a prompt', async (t) => {
  const body = { model, prompt: 'The old bridge is', echo: true, logprobs: 1, max_tokens: 0 }
  const { choices } = await client.completions.create(body)
  t.equal(choices[0]!.text, body.prompt)
  const { tokens, token_logprobs: logprobs } = choices[0]!.logprobs!
  t.equal(tokens!.join(''), body.prompt)
  t.equal(logprobs![0], null)
  t.ok(logprobs!.slice(1).every((value) => value < 0))
  const two = await client.completions.create({ model, prompt: [[5, 6], [7]], max_tokens: 3 })
  t.equal(two.choices.length, 2)
})

t.test('a reply of a JSON schema, parsed by the SDK', async (t) => {
  const Offer = z.object({ mood: z.enum(['calm', 'grumpy']), line: z.string().max(20) })
  const chat = await client.chat.completions.parse({
    ...seeded,
    max_tokens: 80,
    response_format: zodResponseFormat(Offer, 'offer'),
  })
  t.ok(Offer.safeParse(chat.choices[0]!.message.parsed).success)
  const response = await client.responses.parse({
    model,
    input: 'What do you sell?',
    text: { format: zodTextFormat(Offer, 'offer') },
  })
  t.ok(Offer.safeParse(response.output_parsed).success, response.output_text)
})

t.test('responses: created, continued, streamed, retrieved, deleted', async (t) => {
  const steered = { model, input: messages[0]!.content, attributes: { verbosity: 1 }, seed: 3 }
  const first = await client.responses.create(steered)
  t.equal(first.status, 'completed')
  const stream = client.responses.stream({ model, input: 'Thanks!', previous_response_id: first.id }) // prettier-ignore
  let text = ''
  stream.on('response.output_text.delta', (event) => (text += event.delta))
  const second = await stream.finalResponse()
  t.equal(second.output_text, text)
  t.equal((await client.responses.retrieve(second.id)).output_text, text)
  const items = []
  for await (const item of client.responses.inputItems.list(second.id, { order: 'asc', limit: 2 }))
    items.push(item)
  t.equal(items.length, 3, 'pages follow one another')
  await client.responses.delete(first.id)
  await t.rejects(client.responses.retrieve(first.id), { name: 'Error', status: 404 })
})

t.test('embeddings and decisions', async (t) => {
  const input = ['Where is the bridge?', 'Where is the old bridge?', 'You ugly, stupid goat!']
  const { data } = await client.embeddings.create({ model, input })
  const vectors = data.map(({ embedding }) => embedding)
  const product = (a: number, b: number) =>
    vectors[a]!.reduce((sum, value, i) => sum + value * vectors[b]![i]!, 0)
  t.ok(Math.abs(product(0, 0) - 1) < 1e-5)
  t.ok(product(0, 1) > product(0, 2), 'like texts lie nearer')
  const reply = (content: string) => ({
    model: 'village-apm',
    input: [...messages, { role: 'assistant', content }],
    questions: [{ type: 'score', name: 'toxicity', instructions: 'How rude is the reply?' }],
  })
  const score = async (content: string) => {
    const decision = await client.post('/decisions', { body: reply(content) })
    return (decision as { answers: { score: number }[] }).answers[0]!.score
  }
  const [kind, rude] = [
    await score('Down the road, my friend.'),
    await score('Get lost, you stinking fool.'),
  ]
  t.ok(rude - kind > 1, `${kind} and ${rude}`)
})

t.test('errors are typed; an abort ends the stream and frees the slot', async (t) => {
  await t.rejects(client.chat.completions.create({ ...seeded, model: 'gpt' }), {
    name: 'Error',
    status: 404,
    code: 'model_not_found',
    param: 'model',
  })
  await t.rejects(client.chat.completions.create({ ...seeded, temperature: 9 }), {
    name: 'Error',
    status: 400,
    type: 'invalid_request_error',
  })
  const endless = { model, messages, ignore_eos: true, max_tokens: 900, stream: true as const }
  const streams = await Promise.all(
    Array.from({ length: 8 }, () => client.chat.completions.create(endless)),
  )
  for (const stream of streams) {
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) stream.controller.abort()
    }
  }
  t.ok((await client.chat.completions.create(seeded)).choices[0]!.message.content)
  const abort = new AbortController()
  const gone = client.chat.completions.create({ ...endless, stream: false }, { signal: abort.signal }) // prettier-ignore
  setTimeout(() => abort.abort(), 20)
  const error: unknown = await gone.catch((error: unknown) => error)
  t.ok(error instanceof APIUserAbortError)
})
