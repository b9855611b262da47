import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import http, { type IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import {
  Npc,
  NpcExchangeList,
  NpcLine,
  NpcLineChunk,
  NpcList,
  NpcSave,
  NpcState,
  NpcTemplateList,
} from '../../schemas/npcs.ts'
import { buildApp } from '../../src/app.ts'
import { createMemoryNpcStore } from '../../src/services/npcs/npc-store.ts'
import {
  fakeAttributeModel,
  fakeLanguageModel,
  type FakeOptions,
} from '../services/fake-runtime.ts'
import { guard } from '../services/npcs/definitions.ts'
import { postJson, readFrames } from './client.ts'

async function open(t: Test, pieces = ['Hm, ', 'well.'], options: FakeOptions = {}) {
  const model = fakeLanguageModel(pieces, options)
  const npcStore = createMemoryNpcStore()
  const app = await buildApp({ runtimes: [model, fakeAttributeModel()], npcStore })
  t.teardown(() => app.close())
  const post = (url: string, body: object) => postJson(app, `/v1/npcs${url}`, body)
  const get = (url: string) => app.inject(`/v1/npcs${url}`)
  return { app, model, post, get }
}

t.test('a character is made, read, changed, listed and deleted', async (t) => {
  const { app, post, get } = await open(t)
  const made = await post('', { id: 'torvald', definition: guard })
  t.equal(made.statusCode, 201)
  const npc = Npc.parse(made.json())
  t.match(npc, { id: 'torvald', name: 'Torvald', version: 1, definition: guard })
  t.same((await get('/torvald')).json(), npc)
  const definition = { ...guard, name: 'Old Torvald' }
  const put = (body: object) =>
    app.inject({ method: 'PUT', url: '/v1/npcs/torvald', payload: body })
  t.match(Npc.parse((await put({ definition, version: 1 })).json()), { name: 'Old Torvald' })
  const late = await put({ definition, version: 1 })
  t.match([late.statusCode, late.json().error.code], [409, 'npc_changed'])
  await post('', { template: 'guard' })
  const { data, has_more } = NpcList.parse((await get('?limit=1')).json())
  t.equal(has_more, true)
  t.equal(NpcList.parse((await get(`?after=${data[0]!.id}`)).json()).data.length, 1)
  const gone = await app.inject({ method: 'DELETE', url: '/v1/npcs/torvald' })
  t.same(gone.json(), { id: 'torvald', object: 'npc', deleted: true })
  t.equal((await get('/torvald')).statusCode, 404)
})

t.test('the templates are listed with their definitions', async (t) => {
  const { get } = await open(t)
  const { data } = NpcTemplateList.parse((await get('/templates')).json())
  t.same(
    data.map(({ id }) => id),
    ['guard', 'healer', 'innkeeper'],
  )
})

t.test('events move the state; a line has its actions and what was achieved', async (t) => {
  const { post, get } = await open(t)
  await post('', { id: 'torvald', definition: guard })
  const state = NpcState.parse((await post('/torvald/events', { type: 'player.gave_gift' })).json())
  t.match(state.variables, { relation: { value: 2, min: -5, max: 5, baseline: 0 } })
  const line = NpcLine.parse((await post('/torvald/say', { message: 'Hello', seed: 3 })).json())
  t.match(line, {
    line: 'Hm, well.',
    npc: 'torvald',
    exchange: 0,
    attributes: { helpfulness: 4, toxicity: 0 },
    achieved: { helpfulness: 3.5 },
    actions: [{ type: 'smile' }, { type: 'give_item', args: { item: 'key', count: 1 } }],
    usage: { completion_tokens: 2 },
  })
  t.same(NpcState.parse((await get('/torvald/state')).json()).exchanges, 1)
  const quiet = await post('/torvald/say', { message: 'Hello', measure: false })
  t.equal(NpcLine.parse(quiet.json()).achieved, null)
  const { data } = NpcExchangeList.parse((await get('/torvald/exchanges?before=1')).json())
  t.match(data, [{ message: 'Hello', line: 'Hm, well.' }])
})

t.test('a streamed line begins with its actions and ends whole', async (t) => {
  const { post } = await open(t)
  await post('', { id: 'torvald', definition: guard })
  const response = await post('/torvald/say', { message: 'You fool', stream: true })
  t.match(response.headers['content-type'], /text\/event-stream/)
  const frames = readFrames(response.payload)
  t.equal(frames.pop(), '[DONE]')
  const chunks = frames.map((frame) => NpcLineChunk.parse(JSON.parse(frame)))
  t.match(chunks, [
    { object: 'npc.line.start', exchange: 0, events: ['insulted'] },
    { object: 'npc.line.delta', text: 'Hm, ' },
    { object: 'npc.line.delta', text: 'well.' },
    { object: 'npc.line', line: 'Hm, well.', finish_reason: 'stop' },
  ])
})

/** A streamed line over a real connection, read up to the text `upon`. */
async function listen(app: FastifyInstance) {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const headers = { 'content-type': 'application/json' }
  const path = '/v1/npcs/torvald/say'
  const request = http.request({ port, method: 'POST', path, headers })
  request.on('error', () => {})
  request.end(JSON.stringify({ message: 'A story?', stream: true }))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const parts = response.setEncoding('utf8')[Symbol.asyncIterator]()
  let received = ''
  while (!received.includes('"upon"')) received += (await parts.next()).value
  const rest = async (): Promise<string> => {
    for (let part = await parts.next(); !part.done; part = await parts.next())
      received += part.value
    return received
  }
  return { request, rest }
}

t.test('a stream is interrupted by another request; the last line can be shortened', async (t) => {
  const { app, model, post } = await open(t, ['Once ', 'upon'], { hang: true })
  await post('', { id: 'torvald', definition: guard })
  const { rest } = await listen(app)
  const cut = await post('/torvald/interrupt', { heard: 'Once' })
  t.match(NpcLine.parse(cut.json()), { line: 'Once', finish_reason: 'interrupted' })
  const last = readFrames(await rest()).at(-2)!
  t.match(NpcLineChunk.parse(JSON.parse(last)), { object: 'npc.line', line: 'Once' })
  t.equal(await model.ended, 'left')
  const shorter = await post('/torvald/interrupt', { heard: 2, exchange: 0 })
  t.equal(NpcLine.parse(shorter.json()).line, 'On')
})

t.test('a client that hangs up in mid-stream has heard what it was sent', async (t) => {
  const { app, model, post, get } = await open(t, ['Once ', 'upon'], { hang: true })
  await post('', { id: 'torvald', definition: guard })
  const { request } = await listen(app)
  request.destroy()
  t.equal(await model.ended, 'left')
  const heard = async (): Promise<NpcExchangeList['data']> => {
    const { data } = NpcExchangeList.parse((await get('/torvald/exchanges')).json())
    return data.length > 0 ? data : heard()
  }
  t.match(await heard(), [{ line: 'Once upon', interrupted: true }])
})

t.test('a character is saved to a document and loaded from it', async (t) => {
  const { post, get } = await open(t)
  await post('', { id: 'torvald', definition: guard })
  await post('/torvald/say', { message: 'You fool' })
  const save = NpcSave.parse((await get('/torvald/save')).json())
  const loaded = await post('/load', { save, id: 'twin' })
  t.equal(loaded.statusCode, 201)
  t.match(Npc.parse(loaded.json()), { id: 'twin', definition: guard })
  t.equal((await post('/load', { save, id: 'twin' })).statusCode, 409)
  t.equal((await post('/load', { save, id: 'twin', replace: true })).statusCode, 200)
  t.same((await get('/twin/exchanges')).json(), (await get('/torvald/exchanges')).json())
})

const definition = guard
const bad: [string, string, object, number, object][] = [
  ['no definition', '', {}, 400, { code: 'bad_request' }],
  ['both', '', { template: 'guard', definition }, 400, { code: 'bad_request' }],
  ['an unknown template', '', { template: 'king' }, 404, { code: 'not_found', param: 'template' }],
  ['a path as a name', '', { id: '../etc', definition }, 400, { param: 'id' }],
  ['a name of a route', '', { id: 'load', definition }, 400, { param: 'id' }],
  ['an unknown field', '', { definition: { ...definition, goals: [] } }, 400, { param: 'definition.goals' }],
  ['a rule of an unknown attribute', '', { definition: { ...definition, rules: ['insulted: charm +1'] } }, 400, { code: 'npc_rule_invalid', param: 'rules.0', message: /charm/ }],
  ['a variable of many', '', { definition: { ...definition, variables: { Mood: { min: 0, max: 1 } } } }, 400, { code: 'bad_request' }],
  ['an unknown character', '/nobody/say', { message: 'x' }, 404, { code: 'npc_not_found' }],
  ['an unknown event', '/torvald/events', { type: 'danced' }, 400, { code: 'npc_event_unknown' }],
  ['an event without its number', '/torvald/events', { type: 'player.hit' }, 400, { param: 'data.damage' }],
  ['an event with nested data', '/torvald/events', { type: 'player.hit', data: { damage: {} } }, 400, { param: 'data.damage' }],
  ['a time for the server clock', '/torvald/events', { type: 'sorry', time: 1 }, 400, { param: 'time' }],
  ['no message', '/torvald/say', { message: '' }, 400, { param: 'message' }],
  ['a NUL', '/torvald/say', { message: 'a\0b' }, 400, { param: 'message', message: /NUL/ }],
  ['half a character', '', { definition: { ...definition, persona: '\ud800' } }, 400, { param: 'definition.persona' }],
  ['an endless message', '/torvald/say', { message: 'x '.repeat(9000) }, 400, { code: 'context_length_exceeded', param: 'message' }],
  ['nothing to interrupt', '/torvald/interrupt', {}, 404, { code: 'not_found' }],
  ['a save of another kind', '/load', { save: { object: 'npc.save', schema: 2 } }, 400, { param: 'save.schema' }],
] // prettier-ignore

for (const [name, url, body, status, error] of bad) {
  t.test(`${name} is a clear error`, async (t) => {
    const { post, get } = await open(t)
    await post('', { id: 'torvald', definition })
    const response = await post(url, body)
    t.equal(response.statusCode, status)
    t.match(response.json().error, error)
    t.equal(NpcList.parse((await get('')).json()).data.length, 1, 'nothing was made')
    t.match((await get('/torvald')).json(), { version: 1 })
  })
}

t.test('without a store there are no characters', async (t) => {
  const app = await buildApp({ runtimes: [fakeLanguageModel([])] })
  t.teardown(() => app.close())
  t.equal((await app.inject('/v1/npcs')).statusCode, 404)
})
