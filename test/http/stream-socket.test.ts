import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { ServerMessage } from '../../schemas/stream.ts'
import { buildApp } from '../../src/app.ts'
import {
  fakeAttributeModel,
  fakeLanguageModel,
  type FakeOptions,
} from '../services/fake-runtime.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const start = (id: string, more = {}) => ({
  type: 'start',
  id,
  model: 'village',
  messages,
  ...more,
})

async function open(t: Test, pieces: string[], options: FakeOptions = {}) {
  const model = fakeLanguageModel(pieces, options)
  const app = await buildApp({ runtimes: [model, fakeAttributeModel()], bodyLimitBytes: 4096 })
  t.teardown(() => app.close())
  await app.ready()
  const socket: WebSocket = await app.injectWS('/v1/stream')
  t.teardown(() => socket.terminate())
  const inbox: ServerMessage[] = []
  let wake = (): void => {}
  socket.on('message', (data: Buffer) => {
    inbox.push(ServerMessage.parse(JSON.parse(data.toString())))
    wake()
  })
  return {
    app,
    model,
    socket,
    inbox,
    send: (message: object | string) =>
      socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    /** The first message of this kind, now or later. */
    async first<T extends ServerMessage['type']>(type: T, id?: string) {
      for (;;) {
        const found = inbox.find(
          (item) => item.type === type && (!id || ('id' in item && item.id === id)),
        )
        if (found) return found as Extract<ServerMessage, { type: T }>
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}

t.test('a stream is started, deltas in order, done with the achieved values', async (t) => {
  const { send, first, inbox } = await open(t, ['He', '', 'llo'])
  send(start('a', { attributes: { humor: 2 } }))
  const done = await first('done')
  const requested = { helpfulness: 4, humor: 2, creativity: 0, verbosity: 2, toxicity: 0 }
  t.same(inbox.slice(0, -1), [
    { type: 'started', id: 'a', requested },
    { type: 'delta', id: 'a', seq: 0, text: 'He' },
    { type: 'delta', id: 'a', seq: 1, text: 'llo' },
  ])
  t.match(done, { finish_reason: 'stop', requested, achieved: { helpfulness: 3.5 } })
  t.equal(done.usage!.completion_tokens, 3)
})

t.test('several streams share a socket, and an id is free again when it is done', async (t) => {
  const { send, first, inbox, model } = await open(t, ['x'])
  send(start('a'))
  send(start('b', { steering: { measure: false } }))
  await first('done', 'a')
  t.equal((await first('done', 'b')).achieved, null)
  inbox.length = 0
  send(start('a'))
  await first('done', 'a')
  t.equal(model.requests.length, 3)
})

t.test('cancel ends one stream as cancelled', async (t) => {
  const { send, first, model } = await open(t, ['x'], { hang: true })
  send(start('a'))
  await first('delta')
  send({ type: 'cancel', id: 'a' })
  t.match(await first('done'), { finish_reason: 'cancelled', usage: null, achieved: null })
  t.equal(await model.ended, 'left')
})

t.test('closing the socket ends its replies', async (t) => {
  const { send, first, socket, model } = await open(t, ['x'], { hang: true })
  send(start('a'))
  await first('delta')
  socket.terminate()
  t.equal(await model.ended, 'left')
})

t.test('an id that is under way cannot be started again', async (t) => {
  const { send, first } = await open(t, ['x'], { hang: true })
  send(start('a'))
  send(start('a'))
  t.match(await first('error'), { id: 'a', code: 'bad_request', param: 'id' })
})

const wrong: [string, object | string, object][] = [
  ['an unknown model', start('a', { model: 'gpt' }), { id: 'a', code: 'model_not_found' }],
  ['a bad attribute', start('a', { attributes: { humor: 9 } }), { id: 'a', code: 'attribute_out_of_range', param: 'attributes.humor' }],
  ['an unknown field', start('a', { tools: [] }), { id: 'a', code: 'bad_request', param: 'tools' }],
  ['no id', { type: 'start', model: 'village', messages }, { id: null, code: 'bad_request', param: 'id' }],
  ['an unknown type', { type: 'stop', id: 'a' }, { id: 'a', code: 'bad_request', param: 'type' }],
  ['no JSON', '{"type"', { id: null, code: 'invalid_json' }],
  ['JSON null', 'null', { id: null, code: 'bad_request' }],
  ['a cancel of nothing', { type: 'cancel', id: 'zz' }, { id: 'zz', code: 'not_found', param: 'id' }],
] // prettier-ignore

for (const [name, message, expected] of wrong) {
  t.test(`${name} is an error message, and the socket lives on`, async (t) => {
    const { send, first } = await open(t, ['x'])
    send(message)
    t.match(await first('error'), expected)
    send({ type: 'ping' })
    await first('pong')
  })
}

t.test('a message over the limit closes the socket', async (t) => {
  const { send, socket } = await open(t, ['x'])
  send('x'.repeat(5000))
  const [code] = await once(socket, 'close')
  t.equal(code, 1009)
})

t.test('a page from elsewhere may not open a socket; one of this server may', async (t) => {
  const { app } = await open(t, ['x'])
  const at = (origin: string) =>
    app.injectWS('/v1/stream', { headers: { origin, host: '127.0.0.1:8080' } })
  await t.rejects(at('http://evil.example'), /400/)
  const own = await at('http://127.0.0.1:8080')
  own.terminate()
})
