/** Broken connections, slow readers and floods, over a real server and the `ws` client. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { ServerMessage } from '../../schemas/stream.ts'
import { UNREAD_EVENTS } from '../../src/engine/generation.ts'
import { fakeAuth } from '../services/fake-auth.ts'
import { shownText, type TestSocket } from './socket-client.ts'
import { maxTokens, serve, start } from './stream-server.ts'

const lastSeq = (messages: readonly ServerMessage[]): number =>
  messages.reduce((last, message) => ('seq' in message && message.seq !== undefined ? message.seq : last), -1) // prettier-ignore

const isOver = (client: TestSocket): boolean => client.inbox.some(({ type }) => type === 'done')

t.test(
  'a stream whose connection breaks again and again loses nothing and doubles nothing',
  async (t) => {
    const { open, plain } = await serve(t, { stepMs: 2 })
    const seen: ServerMessage[] = []
    let client = await open()
    client.send(start('a', { resumable: true }))
    const { stream } = await client.first('started')
    t.match(stream, /^[0-9a-f-]{36}$/)
    let kills = 0
    while (!isOver(client)) {
      await sleep(10 + 7 * kills)
      if (isOver(client)) break
      client.socket.terminate()
      await client.closed
      kills += 1
      seen.push(...client.inbox)
      await sleep(5)
      client = await open()
      client.send({ type: 'attach', id: 'a', stream, after: lastSeq(seen) })
      t.equal((await client.first('attached')).id, 'a')
    }
    await client.first('done')
    seen.push(...client.inbox.filter(({ type }) => type !== 'attached'))
    const own = seen.filter(({ type }) => type !== 'attached')
    t.ok(kills > 0, `${kills} kills`)
    t.same(own.flatMap((message) => ('seq' in message ? [message.seq] : [])), [...own.keys()].slice(0, -1), 'every number once') // prettier-ignore
    t.equal(own.filter(({ type }) => type === 'started').length, 1)
    t.equal(shownText(own, 'a'), await plain())
    const late = await open()
    late.send({ type: 'attach', id: 'b', stream })
    await late.first('done')
    t.equal(shownText(late.inbox, 'b'), shownText(own, 'a'), 'the finished reply is still there')
    late.send({ type: 'attach', id: 'c', stream, after: 1000 })
    t.match(await late.first('error'), { id: 'c', code: 'not_found', param: 'after' })
  },
)

t.test('only the same key takes a stream over; the old socket is told', async (t) => {
  const auth = fakeAuth()
  const [mine, other] = ['mine', 'other'].map((name) => auth.grant(name, ['generate']))
  const { open } = await serve(t, { auth, stepMs: 5 })
  const by = (key: string | undefined) => open({ headers: { authorization: `Bearer ${key}` } })
  const first = await by(mine)
  first.send(start('a', { resumable: true }))
  const { stream } = await first.first('started')
  const thief = await by(other)
  thief.send({ type: 'attach', id: 'a', stream })
  t.match(await thief.first('error'), { code: 'not_found', param: 'stream' })
  const second = await by(mine)
  second.send({ type: 'attach', id: 'x', stream })
  await second.first('attached')
  await first.first('detached')
  second.send({ type: 'steer', id: 'x', attributes: { humor: 2 } })
  await second.first('continued')
  first.send({ type: 'steer', id: 'a', attributes: { humor: 2 } })
  t.match(await first.first('error'), { code: 'not_found' })
  await second.first('done')
  t.equal(shownText(second.inbox, 'x').length, maxTokens)
})

t.test('a stream that is not resumable ends within a step of its socket', async (t) => {
  const { open, model } = await serve(t, { stepMs: 10 })
  const client = await open()
  client.send(start('a', { max_tokens: 300 }))
  await client.textOf('a', 3)
  client.socket.terminate()
  await client.closed
  await sleep(15)
  const steps = model.step.log.filter(({ kind }) => kind === 'decode').length
  await sleep(80)
  t.ok(model.step.log.filter(({ kind }) => kind === 'decode').length <= steps + 1)
})

t.test('a resumable stream nobody comes back for is cancelled in time', async (t) => {
  const { open, model } = await serve(t, { stepMs: 5, limits: { resumeMs: 60 } })
  const client = await open()
  client.send(start('a', { max_tokens: 300, resumable: true }))
  const { stream } = await client.first('started')
  client.socket.terminate()
  await sleep(150)
  const steps = model.step.log.length
  t.ok(steps < 100, `${steps} steps`)
  await sleep(40)
  t.ok(model.step.log.length <= steps + 2, 'but for computing it again as a prompt')
  const late = await open()
  late.send({ type: 'attach', id: 'a', stream })
  t.match(await late.first('error'), { code: 'not_found', param: 'stream' })
})

t.test('a paused stream stops the engine, and lets others have its slot', async (t) => {
  const { open, plain, model } = await serve(t, { slots: 1, contextLength: 400 })
  const client = await open()
  client.send(start('a', { max_tokens: 200 }))
  await client.textOf('a', 10)
  client.send({ type: 'pause', id: 'a' })
  await client.first('paused')
  const kept = shownText(client.inbox, 'a').length
  await sleep(100)
  const { length } = model.step.log
  t.ok(length < kept + 2 * UNREAD_EVENTS + 4, `${length} steps, ${kept} characters`)
  client.send(start('b'))
  await client.first('done', ({ id }) => id === 'b')
  client.send({ type: 'resume', id: 'a' })
  await client.first('done', ({ id }) => id === 'a')
  t.equal(shownText(client.inbox, 'a'), await plain({ max_tokens: 200 }))
  t.equal(shownText(client.inbox, 'b'), await plain())
})

t.test('streams wait for a client that does not read, and lose nothing', async (t) => {
  const { app, open, plain, model } = await serve(t, { limits: { bufferedBytes: 2048 } })
  const connection = once(app.server, 'connection') as Promise<[Socket]>
  const client = await open()
  const [socket] = await connection
  client.send(start('a', { max_tokens: 300 }))
  await client.textOf('a', 10)
  socket.cork() // as if the network took nothing more
  await sleep(250)
  const { length } = model.step.log
  t.ok(length < 200, `${length} steps for some ${socket.writableLength} bytes`)
  await sleep(100)
  t.equal(model.step.log.length, length, 'the engine waits')
  t.ok(socket.writableLength < 4096)
  socket.uncork()
  await client.first('done')
  t.equal(shownText(client.inbox, 'a'), await plain({ max_tokens: 300 }))
})

t.test('a flood is refused once in words, then the socket is closed', async (t) => {
  const { open } = await serve(t, { limits: { messagesPerSecond: 20 } })
  const client = await open()
  for (let i = 0; i < 40; i += 1) client.send({ type: 'ping' })
  t.match(await client.first('error'), { id: null, code: 'rate_limited' })
  await sleep(300)
  client.send({ type: 'ping' })
  const pongs = client.inbox.filter(({ type }) => type === 'pong').length
  t.ok(pongs >= 20 && pongs < 40, `${pongs} answers`)
  for (let i = 0; i < 600; i += 1) client.send('x')
  t.same(await client.closed, { code: 1008, reason: 'rate_limited' })
  const refusals = client.inbox.filter((message) => message.type === 'error' && message.code === 'rate_limited') // prettier-ignore
  t.equal(refusals.length, 1)
})

t.test('a peer that shows no sign of life is cut off, one that answers pings is not', async (t) => {
  const { open, model } = await serve(t, { stepMs: 10, limits: { heartbeatMs: 40 } })
  const dead = await open({ autoPong: false })
  const alive = await open()
  dead.send(start('a', { max_tokens: 300 }))
  t.equal((await dead.closed).code, 1006)
  await sleep(100)
  const steps = model.step.log.length
  await sleep(100)
  t.ok(model.step.log.length <= steps + 2, 'its reply ended, too')
  alive.send({ type: 'ping' })
  await alive.first('pong')
})

t.test('a message over the limit closes with 1009, text that is not UTF-8 with 1007', async (t) => {
  const { open } = await serve(t)
  const large = await open()
  large.send(start('a', { messages: [{ role: 'user', content: 'x'.repeat(20_000) }] }))
  t.equal((await large.closed).code, 1009)
  const broken = await open()
  broken.socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
  t.equal((await broken.closed).code, 1007)
})
