import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import type { Scope } from '../../schemas/keys.ts'
import { ServerMessage } from '../../schemas/stream.ts'
import { buildApp } from '../../src/app.ts'
import { redactUrl, scopeOf } from '../../src/http/auth.ts'
import { operations } from '../../src/http/openapi.ts'
import type { JobService } from '../../src/services/job-service.ts'
import { createMemoryNpcStore } from '../../src/services/npcs/npc-store.ts'
import { fakeAuth } from '../services/fake-auth.ts'
import { fakeAttributeModel, fakeLanguageModel } from '../services/fake-runtime.ts'

async function open(t: Test, { required = true, lines = [] as string[] } = {}) {
  const auth = fakeAuth({ required })
  const logger = { level: 'info', stream: { write: (line: string) => void lines.push(line) } }
  const runtimes = [fakeLanguageModel(['He', 'llo', '!']), fakeAttributeModel()]
  const npcStore = createMemoryNpcStore()
  const app = await buildApp({ runtimes, auth, logger, npcStore, jobs: {} as JobService })
  t.teardown(() => app.close())
  const chat = { model: 'village', messages: [{ role: 'user', content: 'Hi' }] }
  return {
    app,
    auth,
    chat,
    get: (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers }),
    post: (url: string, payload: object, headers: Record<string, string> = {}) =>
      app.inject({ method: 'POST', url, payload, headers }),
  }
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

t.test('without a key only the page, the documentation and the health are open', async (t) => {
  const { get } = await open(t)
  for (const url of ['/', '/main.js', '/health', '/ready', '/docs', '/openapi.json']) {
    t.equal((await get(url)).statusCode, 200, url)
  }
  for (const url of ['/v1/models', '/v1/%6dodels', '/v1/keys', '/v1/usage']) {
    const response = await get(url)
    t.equal(response.statusCode, 401, url)
    t.match(response.json().error, { code: 'unauthenticated', type: 'authentication_error' })
    t.equal(response.headers['www-authenticate'], 'Bearer realm="steerlm"')
  }
  const wrong = await get('/v1/models', bearer('sk-steer-guess'))
  t.equal(wrong.statusCode, 401)
  t.equal(wrong.headers['www-authenticate'], 'Bearer realm="steerlm", error="invalid_token"')
  t.equal((await get('/v1/nothing')).statusCode, 404)
})

t.test('a key opens what its scopes name, and admin everything', async (t) => {
  const { get, post, auth, chat } = await open(t)
  const key = auth.grant('writer', ['generate'])
  t.equal((await get('/v1/models', bearer(key))).statusCode, 200)
  t.equal((await post('/v1/chat/completions', chat, bearer(key))).statusCode, 200)
  t.equal((await post('/v1/chat/completions', chat, { 'x-api-key': key })).statusCode, 200)
  const predict = { model: 'village-apm', messages: chat.messages }
  const refused = await post('/v1/attributes/predict', predict, bearer(key))
  t.equal(refused.statusCode, 403)
  t.match(refused.json().error, {
    code: 'forbidden',
    type: 'permission_error',
    message: /"predict"/,
  })
  t.equal((await get('/v1/keys', bearer(key))).statusCode, 403)
  const admin = auth.grant('boss', ['admin'])
  t.equal((await get('/v1/keys', bearer(admin))).statusCode, 200)
  t.equal((await post('/v1/chat/completions', chat, bearer(admin))).statusCode, 200)
  auth.withdraw('writer')
  t.equal((await get('/v1/models', bearer(key))).statusCode, 401)
})

t.test('the key in the query is for sockets alone', async (t) => {
  const { get, auth } = await open(t)
  const key = auth.grant('writer', ['generate'])
  t.equal((await get(`/v1/models?api_key=${key}`)).statusCode, 401)
})

t.test('every documented operation has the scope that it should', async (t) => {
  const wanted: [RegExp, Scope | '*' | null][] = [
    [/^(get|put|post|patch) \/v1\/(models|attributes)(\/\{id\})?$/, '*'],
    [/ \/v1\/(chat\/completions|completions|embeddings|responses\b.*)$/, 'generate'],
    [/ (\/v1\/decisions$|\/v2\/models\/)/, 'predict'],
    [/ \/v2(\/health\/(live|ready))?$/, null],
    [/ (\/v1)?\/(tokenize|detokenize|apply-template)$/, 'generate'],
    [/ \/v1\/(adapters|(un)?load_lora_adapter)$/, 'models'],
    [/ \/v1\/attributes\/predict$/, 'predict'],
    [/ \/v1\/(datasets|files)\b/, 'data'],
    [/ \/v1\/(jobs|fine_tuning)\b/, 'jobs'],
    [/( \/v1\/registry\b)|(^delete \/v1\/models)/, 'models'],
    [/ \/v1\/npcs\b/, 'npcs'],
    [/ \/v1\/usage$/, '*'],
    [/ \/v1\/keys\b/, 'admin'],
    [/ \/(health|ready)$/, null],
  ]
  for (const { method, path } of operations) {
    const found = wanted.filter(([pattern]) => pattern.test(`${method} ${path}`))
    t.equal(found.length, 1, `one rule for ${method} ${path}`)
    t.equal(scopeOf(method.toUpperCase(), path), found[0]?.[1], `${method} ${path}`)
  }
  t.equal(scopeOf('GET', '/v1/whatever'), 'admin', 'what nobody thought of is for admins')
  t.equal(scopeOf('GET', '/v1/keysmith'), 'admin')
  t.equal(scopeOf('GET', '/v10'), null)
})

t.test('a request limit is a 429 that says when to come back', async (t) => {
  const { get, auth } = await open(t)
  const key = auth.grant('slow', ['generate'], { requestsPerMinute: 2 })
  t.equal((await get('/v1/models', bearer(key))).statusCode, 200)
  t.equal((await get('/v1/models', bearer(key))).statusCode, 200)
  const refused = await get('/v1/models', bearer(key))
  t.equal(refused.statusCode, 429)
  t.match(refused.json().error, { code: 'rate_limited', type: 'rate_limit_error' })
  t.match(refused.headers['retry-after'], /^(2[5-9]|30)$/)
  const other = auth.grant('other', ['generate'], { requestsPerMinute: 2 })
  t.equal((await get('/v1/models', bearer(other))).statusCode, 200)
})

t.test('tokens are counted whichever way the reply goes out', async (t) => {
  const { app, auth, post, chat } = await open(t)
  const key = auth.grant('writer', ['generate'], { tokensPerMinute: 20 })
  const tokens = () => auth.used.filter((item) => item.promptTokens !== undefined)
  const once8 = { keyId: 'writer', promptTokens: 5, completionTokens: 3 }
  await post('/v1/chat/completions', chat, bearer(key))
  t.match(tokens(), [once8])
  await post('/v1/chat/completions', { ...chat, stream: true }, bearer(key))
  await post('/v1/completions', { model: 'village', prompt: 'x', stream: true }, bearer(key))
  t.match(tokens(), [once8, once8, once8])
  t.equal(auth.used.filter((item) => item.requests === 1).length, 3)

  const refused = await post('/v1/chat/completions', chat, bearer(key))
  t.equal(refused.statusCode, 429, '24 of 20 tokens')
  t.match(refused.json().error.message, /20 tokens a minute/)
  await app.ready()
})

t.test(
  'a socket takes the key from its address or subprotocol, and asks at each message',
  async (t) => {
    const { app, auth, chat } = await open(t)
    await app.ready()
    const key = auth.grant('writer', ['generate'])
    const connect = async (url: string, headers = {}) => {
      const socket: WebSocket = await app.injectWS(url, { headers })
      t.teardown(() => socket.terminate())
      const ask = async (message: object) => {
        const answer = once(socket, 'message') as Promise<[Buffer]>
        socket.send(JSON.stringify(message))
        return ServerMessage.parse(JSON.parse((await answer)[0].toString()))
      }
      return { ask }
    }
    const start = { type: 'start', id: 'a', ...chat }
    await t.rejects(connect('/v1/stream'), /401/)
    await t.rejects(connect('/v1/stream?api_key=sk-steer-guess'), /401/)
    const offered = { 'sec-websocket-protocol': `steerlm, steerlm.key.${key}` }
    t.match(await (await connect('/v1/stream', offered)).ask(start), { type: 'started' })

    const { ask } = await connect(`/v1/stream?api_key=${key}`)
    t.match(await ask(start), { type: 'started' })
    await connect(`/v1/stream?api_key=${auth.grant('data', ['data'])}`).then(async ({ ask }) => {
      const say = { type: 'npc_say', id: 'b', npc: 'torvald', message: 'Hi' }
      const event = { type: 'npc_event', id: 'c', npc: 'torvald', event: { type: 'insulted' } }
      const watch = { type: 'watch_job', id: 'd', job: randomUUID() }
      for (const message of [start, say, event, watch])
        t.match(await ask(message), { type: 'error', id: message.id, code: 'forbidden' })
    })
    auth.withdraw('writer')
    const late = await connect(`/v1/stream?api_key=${auth.grant('late', ['generate'])}`)
    auth.withdraw('late')
    t.match(await late.ask(start), { type: 'error', id: 'a', code: 'unauthenticated' })
  },
)

t.test('where no key is needed, a key still counts, and a dead one is told', async (t) => {
  const { get, post, auth, chat } = await open(t, { required: false })
  t.equal((await get('/v1/keys')).statusCode, 200)
  t.equal((await get('/v1/models', bearer('none'))).statusCode, 200, "what OpenAI's clients send")
  t.equal((await get('/v1/models', bearer('sk-steer-revoked'))).statusCode, 401)
  const key = auth.grant('writer', ['generate'])
  t.equal((await get('/v1/keys', bearer(key))).statusCode, 403)
  await post('/v1/chat/completions', chat, bearer(key))
  t.match(auth.used.at(-1), { keyId: 'writer', completionTokens: 3 })
})

t.test('where no key is needed, pages of other sites may not write', async (t) => {
  const { post, get, chat } = await open(t, { required: false })
  const foreign = { origin: 'http://elsewhere.example', host: 'localhost:8080' }
  const refused = await post('/v1/chat/completions', chat, foreign)
  t.equal(refused.statusCode, 403)
  t.match(refused.json().error, { code: 'forbidden', message: /elsewhere/ })
  t.equal((await get('/v1/models', foreign)).statusCode, 200)
  const own = { origin: 'http://localhost:8080', host: 'localhost:8080' }
  t.equal((await post('/v1/chat/completions', chat, own)).statusCode, 200)
})

t.test('no key gets into the log', async (t) => {
  const lines: string[] = []
  const { get, auth } = await open(t, { lines })
  const key = auth.grant('secret', ['generate'])
  await get('/v1/models', bearer(key))
  await get(`/v1/models?limit=1&api_key=${key}&x=%zz`, { 'x-api-key': 'sk-steer-secret-guess' })
  await get(`/v1/nothing?a%70i_key=${key}`)
  t.equal(lines.length, 3)
  t.notMatch(lines.join(''), /sk-steer/)
  t.match(lines[1], /limit=1&api_key=…&x=%zz/)
  t.equal(redactUrl('/v1/models'), '/v1/models')
})
