import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import t, { type Test } from 'tap'
import { ResponseEvent, ResponseItemList, ResponseObject } from '../../schemas/responses.ts'
import { buildApp, type AppDeps } from '../../src/app.ts'
import { SteerError } from '../../src/errors.ts'
import { createMemoryResponseStore } from '../../src/services/responses/response-store.ts'
import { fakeAttributeModel, fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson, readFrames } from './client.ts'

const url = '/v1/responses'
const body = { model: 'village', input: 'Where is the inn?' }

const serve = async (t: Test, deps: Partial<AppDeps> & Pick<AppDeps, 'runtimes'>) => {
  const app = await buildApp(deps)
  t.teardown(() => app.close())
  return app
}

const serveSdk = async (t: Test, ...runtimes: AppDeps['runtimes'][number][]) => {
  const app = await serve(t, { runtimes })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 })
}

t.test(
  'the official SDK creates, retrieves, lists the input of and deletes responses',
  async (t) => {
    const client = await serveSdk(
      t,
      fakeLanguageModel(['Down ', 'the road.']),
      fakeAttributeModel(),
    )
    const made = await client.responses.create(body)
    t.equal(made.output_text, 'Down the road.')
    t.match(made, { object: 'response', status: 'completed', temperature: 0.8, store: true })
    t.match(made.usage, { input_tokens: 5, output_tokens: 2, total_tokens: 7, input_tokens_details: { cached_tokens: 2 } }) // prettier-ignore
    const kept = await client.responses.retrieve(made.id)
    t.same({ ...kept, _request_id: null }, { ...made, _request_id: null })
    const items = await client.responses.inputItems.list(made.id)
    t.match(items.data, [{ role: 'user', content: [{ type: 'input_text', text: body.input }] }])
    await client.responses.delete(made.id)
    await t.rejects(client.responses.retrieve(made.id), { status: 404, code: 'not_found' })
    await t.rejects(client.responses.delete(made.id), { name: 'Error', status: 404 })
  },
)

t.test('the SDK’s own accumulator agrees, live and replayed', async (t) => {
  const client = await serveSdk(t, fakeLanguageModel(['Down ', 'the road.']))
  const runner = client.responses.stream(body)
  const types: string[] = []
  let text = ''
  for await (const event of runner) {
    types.push(event.type)
    if (event.type === 'response.output_text.delta') text += event.delta
  }
  const final = await runner.finalResponse()
  t.equal(text, 'Down the road.')
  t.equal(final.output_text, text)
  t.same(types, [
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  const replayed = client.responses.stream({ response_id: final.id, starting_after: 5 })
  const numbers: number[] = []
  for await (const event of replayed) numbers.push((event as ResponseEvent).sequence_number)
  t.equal((await replayed.finalResponse()).output_text, text)
  t.same(numbers, [6, 7, 8])
})

t.test('every event has exactly the members of the schema, numbered from 0', async (t) => {
  const app = await serve(t, {
    runtimes: [fakeLanguageModel(['He', 'llo'], { info: {} }), fakeAttributeModel()],
  })
  const response = await postJson(app, url, { ...body, stream: true, top_logprobs: 1 })
  t.match(response.headers['content-type'], /^text\/event-stream/)
  const lines = response.payload.split('\n\n').filter((block) => block.startsWith('event: '))
  const events = lines.map((block) => {
    const [name, data] = block.split('\n')
    const event = ResponseEvent.parse(JSON.parse(data!.slice('data: '.length)))
    t.equal(name, `event: ${event.type}`)
    return event
  })
  t.same(
    events.map((event) => event.sequence_number),
    events.map((_, i) => i),
  )
  t.match(
    events.find(({ type }) => type === 'response.output_text.delta'),
    {
      delta: 'He',
      logprobs: [{ token: 'He', logprob: -0.5, top_logprobs: [{ token: 't0', logprob: -1 }] }],
    },
  )
  t.match(events.at(-1), {
    type: 'response.completed',
    response: { steering: { requested: { helpfulness: 4 }, achieved: { helpfulness: 3.5 } } },
  })
})

t.test(
  'a conversation goes on from a stored response, with the values that it was written for',
  async (t) => {
    const model = fakeLanguageModel(['Here.'])
    const app = await serve(t, { runtimes: [model] })
    const first = ResponseObject.parse(
      (await postJson(app, url, { ...body, instructions: 'You guard.', attributes: { humor: 3 } })).json(), // prettier-ignore
    )
    const previous_response_id = first.id
    const second = await postJson(app, url, { model: 'village', input: 'Thanks.', instructions: 'You sing.', previous_response_id }) // prettier-ignore
    t.match(model.requests[1]!.prompt, {
      messages: [
        { role: 'system', content: 'You sing.' },
        { role: 'user', content: 'Where is the inn?' },
        { role: 'assistant', content: 'Here.', attributes: { humor: 3, helpfulness: 4 } },
        { role: 'user', content: 'Thanks.' },
      ],
      attributes: {},
    })
    const { id } = second.json()
    const list = async (query: string) =>
      ResponseItemList.parse((await app.inject(`${url}/${id}/input_items${query}`)).json())
    const all = await list('?order=asc')
    t.same(
      all.data.map((item) => item.content[0]!.text),
      ['Where is the inn?', 'Here.', 'Thanks.'],
    )
    const newest = await list('?limit=2')
    t.match(newest, { has_more: true, first_id: all.last_id })
    t.match(await list(`?limit=2&after=${newest.last_id}`), { has_more: false, last_id: all.first_id }) // prettier-ignore

    // As OpenAI's Python SDK sends it.
    const headers = { 'content-type': 'application/json' }
    const deleted = await app.inject({ method: 'DELETE', url: `${url}/${first.id}`, headers })
    t.same(deleted.json(), { id: first.id, object: 'response', deleted: true })
    t.equal((await postJson(app, url, { ...body, previous_response_id })).statusCode, 404)
    const third = await postJson(app, url, { ...body, previous_response_id: id })
    t.equal(third.statusCode, 200, 'what came later has its own copy')
  },
)

t.test('items are messages in every form, and references to stored ones', async (t) => {
  const model = fakeLanguageModel(['Here.'])
  const app = await serve(t, { runtimes: [model] })
  const { output } = (await postJson(app, url, body)).json()
  const input = [
    { role: 'developer', content: 'You guard.' },
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'A' }, { type: 'input_text', text: 'B' }] }, // prettier-ignore
    output[0],
    { type: 'item_reference', id: output[0].id },
    { role: 'user', content: 'C' },
  ]
  t.equal((await postJson(app, url, { model: 'village', input })).statusCode, 200)
  const { messages } = model.requests[1]!.prompt as { messages: { role: string; content: string }[] } // prettier-ignore
  t.same(
    messages.map(({ role, content }) => `${role} ${content}`),
    ['system You guard.', 'user AB', 'assistant Here.', 'assistant Here.', 'user C'],
  )
  const unknown = [{ type: 'item_reference', id: `msg_${'0'.repeat(32)}` }]
  const refused = await postJson(app, url, { model: 'village', input: unknown })
  t.match(refused.json().error, { code: 'not_found', param: 'input.0.id' })
})

t.test('text.format holds the reply to a schema', async (t) => {
  const model = fakeLanguageModel(['{}'])
  const app = await serve(t, { runtimes: [model] })
  const schema = { type: 'object' }
  const format = { type: 'json_schema', name: 'offer', schema, strict: true }
  const response = await postJson(app, url, { ...body, text: { format } })
  t.same(ResponseObject.parse(response.json()).text.format, format)
  t.match(model.requests[0]!.constraint, { kind: 'json-schema', schema })
  await postJson(app, url, { ...body, text: { format: { type: 'json_object' } } })
  t.match(model.requests[1]!.constraint, { kind: 'json-schema' })
  await postJson(app, url, { ...body, structured_outputs: { choice: ['a', 'b'] } })
  t.match(model.requests[2]!.constraint, { kind: 'choice', texts: ['a', 'b'] })
  const both = { text: { format }, structured_outputs: { choice: ['a'] } }
  t.equal((await postJson(app, url, { ...body, ...both })).statusCode, 400)
})

t.test('a reply that is cut off is incomplete and says why', async (t) => {
  const app = await serve(t, { runtimes: [fakeLanguageModel(['a', 'b', 'c'])] })
  const response = await postJson(app, url, { ...body, max_output_tokens: 2 })
  t.match(ResponseObject.parse(response.json()), {
    status: 'incomplete',
    completed_at: null,
    incomplete_details: { reason: 'max_output_tokens' },
    output: [{ status: 'incomplete', content: [{ text: 'ab' }] }],
  })
  const stream = await postJson(app, url, { ...body, max_output_tokens: 2, stream: true })
  t.match(stream.payload, /event: response\.incomplete\n/)
})

t.test('an error in mid-stream ends it with response.failed', async (t) => {
  const error = new SteerError('ENGINE_CRASHED', 'signal SIGKILL')
  const app = await serve(t, { runtimes: [fakeLanguageModel(['a', 'b'], { failure: { after: 1, error } })] }) // prettier-ignore
  const response = await postJson(app, url, { ...body, stream: true })
  const frames = response.payload.split('data: ')
  const last = ResponseEvent.parse(JSON.parse(frames.at(-2)!.split('\n')[0]!))
  t.match(last, { type: 'response.failed', response: { status: 'failed', error: { code: 'server_error' } } }) // prettier-ignore
  t.notMatch(response.payload, /SIGKILL/)
})

t.test('what is wrong with a request is a plain error, streamed or not', async (t) => {
  const app = await serve(t, { runtimes: [fakeLanguageModel(['x']), fakeAttributeModel()] })
  const wrong: [object, number, object][] = [
    [{ attributes: { charm: 1 } }, 400, { code: 'attribute_unknown', param: 'attributes.charm' }],
    [{ model: 'gpt' }, 404, { code: 'model_not_found', param: 'model' }],
    [{ model: 'village-apm' }, 400, { code: 'model_not_generative' }],
    [{ previous_response_id: 'resp_1' }, 404, { code: 'not_found', param: 'previous_response_id' }],
    [{ input: [] }, 400, { param: 'input' }],
    [{ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 400, { param: 'input.0.content.0.type' }], // prettier-ignore
    [{ background: true }, 400, { param: 'background' }],
    [{ max_output_tokens: 0 }, 400, { param: 'max_output_tokens' }],
    [{ nonsense: 1 }, 400, { param: 'nonsense' }],
  ]
  for (const [change, status, error] of wrong) {
    for (const stream of [false, true]) {
      const response = await postJson(app, url, { ...body, ...change, stream })
      t.equal(response.statusCode, status, JSON.stringify(change))
      t.match(response.json().error, error)
    }
  }
})

t.test('store: false keeps nothing; another key sees nothing', async (t) => {
  const store = createMemoryResponseStore()
  const app = await serve(t, { runtimes: [fakeLanguageModel(['x'])], responseStore: store })
  const { id } = (await postJson(app, url, { ...body, store: false })).json()
  t.equal((await app.inject(`${url}/${id}`)).statusCode, 404)
  const { id: kept } = (await postJson(app, url, body)).json()
  t.equal((await app.inject(`${url}/${kept}`)).statusCode, 200)
  t.equal(await store.get(kept, 'another key'), null)
  t.equal(await store.delete(kept, 'another key'), false)
})

t.test('frames can be read by clients that know data lines only', async (t) => {
  const app = await serve(t, { runtimes: [fakeLanguageModel(['x'])] })
  const { payload } = await postJson(app, url, { ...body, stream: true })
  const frames = readFrames(payload.replaceAll(/^event: .*\n/gm, ''))
  t.equal(frames.at(-1), '[DONE]')
})
