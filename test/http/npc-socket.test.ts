import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { ServerMessage } from '../../schemas/stream.ts'
import { buildApp } from '../../src/app.ts'
import { createMemoryNpcStore } from '../../src/services/npcs/npc-store.ts'
import { fakeLanguageModel, type FakeOptions } from '../services/fake-runtime.ts'
import { guard } from '../services/npcs/definitions.ts'
import { postJson } from './client.ts'

async function open(t: Test, pieces: string[], options: FakeOptions = {}, withStore = true) {
  const model = fakeLanguageModel(pieces, options)
  const npcStore = withStore ? createMemoryNpcStore() : undefined
  const app = await buildApp({ runtimes: [model], npcStore })
  t.teardown(() => app.close())
  await app.ready()
  if (withStore) await postJson(app, '/v1/npcs', { id: 'torvald', definition: guard })
  const socket: WebSocket = await app.injectWS('/v1/stream')
  t.teardown(() => socket.terminate())
  const inbox: ServerMessage[] = []
  let wake = (): void => {}
  socket.on('message', (data: Buffer) => {
    inbox.push(ServerMessage.parse(JSON.parse(data.toString())))
    wake()
  })
  return {
    model,
    socket,
    inbox,
    exchanges: async () => (await app.inject('/v1/npcs/torvald/exchanges')).json().data,
    send: (message: object) => socket.send(JSON.stringify(message)),
    /** Takes the first message of this kind out of the inbox, now or later. */
    async take<T extends ServerMessage['type']>(type: T) {
      for (;;) {
        const place = inbox.findIndex((item) => item.type === type)
        if (place >= 0) return inbox.splice(place, 1)[0] as Extract<ServerMessage, { type: T }>
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}

const say = (id: string, message: string, more = {}) => ({
  type: 'npc_say',
  id,
  npc: 'torvald',
  message,
  ...more,
})

t.test('a line is started, its text comes in order, it ends whole', async (t) => {
  const { send, take, inbox } = await open(t, ['Hm, ', 'well.'])
  send(say('a', 'Hello, fool', { seed: 1 }))
  const done = await take('npc_done')
  t.match(inbox, [
    { type: 'npc_started', id: 'a', npc: 'torvald', exchange: 0, events: ['insulted'] },
    { type: 'npc_delta', id: 'a', seq: 0, text: 'Hm, ' },
    { type: 'npc_delta', id: 'a', seq: 1, text: 'well.' },
  ])
  t.match(done, { id: 'a', line: 'Hm, well.', finish_reason: 'stop', state: { exchanges: 1 } })
})

t.test('an event is answered with the new state', async (t) => {
  const { send, take } = await open(t, [])
  send({ type: 'npc_event', id: 'e', npc: 'torvald', event: { type: 'player.gave_gift' } })
  t.match(await take('npc_state'), { id: 'e', state: { variables: { relation: { value: 2 } } } })
})

t.test('barge-in while the line is under way', async (t) => {
  const { send, take, model, exchanges } = await open(t, ['Once ', 'upon'], { hang: true })
  send(say('a', 'A story?'))
  await take('npc_delta')
  await take('npc_delta')
  send({ type: 'npc_interrupt', id: 'a', heard: 'Once' })
  t.match(await take('npc_done'), { id: 'a', line: 'Once', finish_reason: 'interrupted' })
  t.equal(await model.ended, 'left')
  t.match(await exchanges(), [{ line: 'Once', interrupted: true }])
})

t.test('barge-in after the text came, while the voice still speaks', async (t) => {
  const { send, take, exchanges } = await open(t, ['Once upon a time'])
  send(say('a', 'A story?'))
  await take('npc_done')
  send({ type: 'npc_interrupt', id: 'a', heard: 4 })
  t.match(await take('npc_done'), { id: 'a', line: 'Once', finish_reason: 'interrupted' })
  t.match(await exchanges(), [{ line: 'Once', interrupted: true }])
})

t.test('barge-in before the line has begun takes the message back', async (t) => {
  const { send, take, exchanges } = await open(t, ['x'], { hang: true })
  send(say('a', 'first'))
  await take('npc_delta')
  send(say('b', 'second'))
  send({ type: 'npc_interrupt', id: 'b' })
  t.match(await take('error'), { id: 'b', code: 'cancelled' })
  send({ type: 'npc_interrupt', id: 'a' })
  await take('npc_done')
  t.match(await exchanges(), [{ message: 'first', line: 'x' }])
})

t.test('closing the socket: what was sent was heard', async (t) => {
  const { send, take, socket, model, exchanges } = await open(t, ['Once ', 'upon'], { hang: true })
  send(say('a', 'A story?'))
  await take('npc_delta')
  await take('npc_delta')
  socket.terminate()
  t.equal(await model.ended, 'left')
  const heard = async (): Promise<object[]> => {
    const data = await exchanges()
    return data.length > 0 ? data : heard()
  }
  t.match(await heard(), [{ line: 'Once upon', interrupted: true }])
})

const wrong: [string, object, object][] = [
  ['an unknown character', { ...say('a', 'x'), npc: 'nobody' }, { id: 'a', code: 'npc_not_found' }],
  ['an unknown event', { type: 'npc_event', id: 'a', npc: 'torvald', event: { type: 'danced' } }, { id: 'a', code: 'npc_event_unknown' }],
  ['an interruption of nothing', { type: 'npc_interrupt', id: 'a' }, { id: 'a', code: 'not_found' }],
  ['an unknown field', say('a', 'x', { stream: true }), { id: 'a', code: 'bad_request', param: 'stream' }],
  ['no character', { type: 'npc_say', id: 'a', message: 'x' }, { id: 'a', code: 'bad_request', param: 'npc' }],
] // prettier-ignore

for (const [name, message, expected] of wrong) {
  t.test(`${name} is an error message, and the socket lives on`, async (t) => {
    const { send, take } = await open(t, ['x'])
    send(message)
    t.match(await take('error'), expected)
    send({ type: 'ping' })
    await take('pong')
  })
}

t.test('an id that is under way cannot be used again', async (t) => {
  const { send, take } = await open(t, ['x'], { hang: true })
  send(say('a', 'first'))
  send(say('a', 'second'))
  t.match(await take('error'), { id: 'a', code: 'bad_request', param: 'id' })
})

t.test('a server without characters says so', async (t) => {
  const { send, take } = await open(t, [], {}, false)
  send(say('a', 'x'))
  t.match(await take('error'), { id: 'a', code: 'not_found' })
})
