/** Replies that are changed while they are written, over a real server and the `ws` client. */
import t from 'tap'
import { shownText, type TestSocket } from './socket-client.ts'
import { maxTokens, serve, start } from './stream-server.ts'

const seqs = (client: TestSocket): number[] =>
  client.inbox.flatMap((message) => ('seq' in message && message.seq !== undefined ? [message.seq] : [])) // prettier-ignore

t.test(
  'a steer keeps the text so far, token for token, and writes on for the new values',
  async (t) => {
    const { open, rest, plain, model } = await serve(t)
    const client = await open()
    client.send(start('a', { attributes: { verbosity: 1 } }))
    await client.textOf('a', 20)
    client.send({ type: 'steer', id: 'a', attributes: { humor: 4 } })
    const { at, requested, by } = await client.first('continued')
    const done = await client.first('done')
    const text = shownText(client.inbox, 'a')
    t.equal(by, 'steer')
    t.match(requested, { humor: 4, verbosity: 1 })
    t.ok(at >= 20 && at < maxTokens, `at ${at}`)
    t.equal(text.slice(at), rest(text.slice(0, at), { humor: 4, verbosity: 1 }))
    t.equal(text.slice(0, at), (await plain({ attributes: { verbosity: 1 } })).slice(0, at))
    t.equal(text.length, maxTokens, 'max_tokens counts the whole reply')
    t.match(done, { finish_reason: 'length', requested: { humor: 4, verbosity: 1 } })
    t.equal(done.usage!.completion_tokens, maxTokens)
    t.equal(done.usage!.prompt_tokens, model.requests[0]!.tokens.length)
    t.same(seqs(client), seqs(client).map((_, index) => index), 'numbers without a gap') // prettier-ignore
  },
)

t.test(
  'steers that change nothing, pauses and the way it is asked for change nothing',
  async (t) => {
    const { open, plain, model } = await serve(t)
    const client = await open()
    client.send(start('a', { attributes: { humor: 2 } }))
    await client.textOf('a', 5)
    client.send({ type: 'steer', id: 'a', attributes: { humor: 2 } })
    client.send({ type: 'pause', id: 'a' })
    await client.first('paused')
    const paused = client.inbox.length
    await new Promise((resolve) => setTimeout(resolve, 60))
    t.equal(client.inbox.length, paused, 'nothing comes while it is paused')
    client.send({ type: 'resume', id: 'a' })
    await client.first('done')
    t.equal(shownText(client.inbox, 'a'), await plain({ attributes: { humor: 2 } }))
    t.equal(model.requests.length, 2, 'one for the stream, one for the plain answer')
  },
)

t.test('a wrong steer is answered and leaves the reply as it is', async (t) => {
  const { open, plain } = await serve(t)
  const client = await open()
  client.send(start('a'))
  await client.textOf('a', 5)
  client.send({ type: 'steer', id: 'a', attributes: { humor: 9 } })
  client.send({ type: 'steer', id: 'a', attributes: { charm: 1 } })
  client.send({ type: 'steer', id: 'b', attributes: { humor: 1 } })
  t.match(await client.first('error', ({ about }) => about === 'steer'), { id: 'a', code: 'attribute_out_of_range', param: 'attributes.humor' }) // prettier-ignore
  t.match(await client.first('error', ({ code }) => code === 'attribute_unknown'), { id: 'a' })
  t.match(await client.first('error', ({ id }) => id === 'b'), { code: 'not_found' })
  await client.first('done')
  t.equal(shownText(client.inbox, 'a'), await plain())
})

t.test(
  'regenerate keeps the text to a point; a finished reply can be taken up again',
  async (t) => {
    const { open, plain, rest } = await serve(t)
    const client = await open()
    client.send(start('a'))
    await client.first('done')
    const first = shownText(client.inbox, 'a')
    t.equal(first, await plain())
    client.send({ type: 'regenerate', id: 'a', at: 10, seed: 77, attributes: { humor: 3 } })
    t.match(await client.first('continued'), { by: 'regenerate', at: 10, requested: { humor: 3 } })
    const done = await client.first('done', ({ seq }) => seq > maxTokens)
    const text = shownText(client.inbox, 'a')
    t.equal(text.slice(0, 10), first.slice(0, 10))
    t.equal(text.slice(10), rest(first.slice(0, 10), { humor: 3 }, { seed: 77 }))
    t.equal(done.usage!.completion_tokens, maxTokens + maxTokens - 10, 'tokens that were written')
    client.inbox.length = 0
    client.send({ type: 'regenerate', id: 'a' })
    await client.first('done')
    t.not(shownText(client.inbox, 'a'), text, 'another seed')
  },
)

t.test('edit puts a text in the place of the reply and goes on from there', async (t) => {
  const { open, rest } = await serve(t)
  const client = await open()
  client.send(start('a', { stop: ['qq'] }))
  await client.textOf('a', 8)
  client.send({ type: 'edit', id: 'a', text: 'xqqx' })
  t.match(await client.first('error'), { about: 'edit', code: 'bad_request', param: 'text' })
  client.send({ type: 'edit', id: 'a', text: 'badge' })
  const { at } = await client.first('continued')
  await client.first('done')
  t.equal(at, 5)
  const deltas = client.inbox.slice(client.inbox.findIndex(({ type }) => type === 'continued'))
  t.equal(shownText(deltas, 'a'), rest('badge', {}).split('qq')[0])
})

t.test('a steer before the first token, and a cancel in the middle of one', async (t) => {
  const { open, rest } = await serve(t, { stepMs: 5 })
  const client = await open()
  client.send(start('a'))
  client.send({ type: 'steer', id: 'a', attributes: { humor: 1 } })
  client.send(start('b'))
  client.send({ type: 'steer', id: 'b', attributes: { humor: 1 } })
  client.send({ type: 'cancel', id: 'b' })
  t.match(await client.first('done', ({ id }) => id === 'b'), { finish_reason: 'cancelled' })
  await client.first('done', ({ id }) => id === 'a')
  t.equal(shownText(client.inbox, 'a'), rest('', { humor: 1 }))
  t.equal(client.inbox.find((message) => 'id' in message && message.id === 'a')?.type, 'started')
})

t.test('one seed, one text: plain, as events, over the socket', async (t) => {
  const { open, plain, sse } = await serve(t)
  const client = await open()
  const requests = [
    { seed: 1 },
    { seed: 2, temperature: 0 },
    { seed: 3, temperature: 0.7, top_p: 0.8, min_p: 0.02 },
    { seed: 4, top_k: 5, repetition_penalty: 1.2, frequency_penalty: 0.3 },
    { seed: 5, stop: ['ab', 'c'], attributes: { humor: 3 } },
    { seed: 2 ** 40, presence_penalty: 0.5, logit_bias: {}, attributes: { verbosity: 1 } },
  ]
  for (const [index, request] of requests.entries()) {
    const id = `s${index}`
    client.send(start(id, request))
    const [text, streamed] = await Promise.all([plain(request), sse(request)])
    await client.first('done', (message) => message.id === id)
    t.equal(streamed, text)
    t.equal(shownText(client.inbox, id), text)
  }
})
