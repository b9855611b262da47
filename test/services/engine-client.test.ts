import { once } from 'node:events'
import t, { type Test } from 'tap'
import { createEngineClient, type EngineClientOptions } from '../../src/services/engine-client.ts'
import type { TextEvent } from '../../src/services/runtime-types.ts'

const entry = new URL('fake-engine-process.ts', import.meta.url)
const request = { prompt: { text: 'Hi' }, temperature: 0 }

async function start(t: Test, dir: string, more: Partial<EngineClientOptions> = {}) {
  const events = new EventTarget()
  const log: EngineClientOptions['log'] = ({ event }) => events.dispatchEvent(new Event(event))
  const client = await createEngineClient({ dir, entry, backoffMs: 1, log, ...more })
  t.teardown(() => client.dispose())
  return { client, logged: (event: string) => once(events, event) }
}

async function textOf(events: AsyncIterable<TextEvent>): Promise<string> {
  let text = ''
  for await (const event of events) if (event.type === 'delta') text += event.text
  return text
}

t.test('text, predictions and errors come through the process', async (t) => {
  const { client } = await start(t, 'good')
  t.equal(client.info.id, 'village')
  t.ok(client.ready)
  t.not(client.pid, process.pid)
  t.equal(await textOf(client.generate(request)), 'I am here.')
  const messages = [{ role: 'assistant' as const, content: 'x' }]
  t.same(await client.predict([messages, [...messages, ...messages]]), [{ humor: 1 }, { humor: 2 }])
  const bad = { ...request, prompt: { messages, attributes: { charm: 1 } } }
  await t.rejects(textOf(client.generate(bad)), {
    code: 'ATTRIBUTE_UNKNOWN',
    param: 'attributes.charm',
  })
  await t.rejects(client.predict([]), { code: 'INTERNAL' })
  t.equal(await client.countTokens({ text: 'three more words' }), 4)
})

t.test('requests side by side keep their own answers', async (t) => {
  const { client } = await start(t, 'good')
  const texts = await Promise.all(Array.from({ length: 5 }, () => textOf(client.generate(request))))
  t.same(
    texts,
    Array.from({ length: 5 }, () => 'I am here.'),
  )
})

t.test('an abort and an early leave end the reply in the process', async (t) => {
  const { client } = await start(t, 'hangs')
  const abort = new AbortController()
  const stream = client.generate(request, abort.signal)
  t.equal((await stream.next()).value?.type, 'start')
  abort.abort()
  await t.rejects(textOf(stream), { code: 'CANCELLED' })
  for await (const event of client.generate(request)) if (event.type === 'delta') break
  await t.rejects(textOf(client.generate(request, AbortSignal.abort())), { code: 'CANCELLED' })
})

t.test(
  'a killed process fails its requests, is restarted, and new requests wait for it',
  async (t) => {
    const { client, logged } = await start(t, 'hangs')
    const stream = client.generate(request)
    await stream.next()
    const { pid } = client
    const restarted = logged('engine restarted')
    process.kill(pid!, 'SIGKILL')
    await t.rejects(textOf(stream), { code: 'ENGINE_CRASHED', message: /restarted: .*SIGKILL/ })
    t.notOk(client.ready)
    t.equal(client.info.id, 'village', 'it is still known what the model is')
    const next = client.generate(request)
    t.equal((await next.next()).value?.type, 'start')
    await restarted
    t.ok(client.ready)
    t.not(client.pid, pid)
    await next.return(undefined)
  },
)

t.test('a request that would wait too long gets ENGINE_STARTING', async (t) => {
  const { client, logged } = await start(t, 'good', { backoffMs: 60_000, waitMs: 5 })
  const ended = logged('engine ended')
  process.kill(client.pid!, 'SIGKILL')
  await ended
  await t.rejects(textOf(client.generate(request)), { code: 'ENGINE_STARTING' })
})

t.test('a model that cannot be loaded fails the start with its own error', async (t) => {
  await t.rejects(start(t, 'broken'), { code: 'BAD_CHECKPOINT', detail: /hidden_size/ })
  await t.rejects(start(t, 'dies'), { code: 'ENGINE_CRASHED', detail: /exit code 7/ })
})

t.test('dispose ends the process and its open requests', async (t) => {
  const { client } = await start(t, 'hangs')
  const stream = client.generate(request)
  await stream.next()
  const { pid } = client
  const rest = t.rejects(textOf(stream), { code: 'CANCELLED' })
  await client.dispose()
  await rest
  t.throws(() => process.kill(pid!, 0), { code: 'ESRCH' })
  await t.rejects(textOf(client.generate(request)), { code: 'ENGINE_STARTING' })
})
