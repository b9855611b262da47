/** Publishing beside running streams: real engine processes of tiny models, over HTTP on loopback. */
import { mkdir, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../src/config.ts'
import { attributeSet } from '../src/labels/attribute-sets.ts'
import { createRegistry } from '../src/registry/registry.ts'
import { modelPlaces } from '../src/commands/workplace.ts'
import { createServer } from '../src/wiring.ts'
import { readFrames } from './http/client.ts'
import { writeTinyHead } from './fixtures/tiny-head.ts'
import { createTinyHome } from './fixtures/tiny-home.ts'

const TOKENS = 100
const STREAMS = 4

const tiny = createTinyHome(t.testdir())
const attributes = attributeSet('village')

/** Another depth gives another model: its greedy text tells which version wrote it. */
async function addModel(name: string, kind: string, depth: number): Promise<string> {
  const dir = await tiny.model(name, { num_hidden_layers: depth, max_position_embeddings: 512 })
  const manifest = { kind, name, template: 'chat', attributes }
  await writeFile(join(dir, 'steerlm.json'), JSON.stringify(manifest))
  return dir
}
await addModel('one', 'language-model', 1)
await addModel('two', 'language-model', 2)
await writeTinyHead(await addModel('judge', 'attribute-model', 1), attributes.length)
const achieved = Object.fromEntries(attributes.map(({ name }, i) => [name, i]))

const registry = createRegistry(modelPlaces(tiny.home))
await registry.publish({ model: 'npc', from: 'one', aliases: ['prod'] })

const env = { STEERLM_THREADS: '1', STEERLM_SLOTS: '4' }
const server = await createServer(readConfig({ model: ['npc'], home: tiny.home }, env), false)
t.teardown(() => server.close())
await server.app.listen({ host: '127.0.0.1', port: 0 })
const origin = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`

async function call(method: string, path: string, body?: object) {
  const response = await fetch(`${origin}${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return { status: response.status, body: isJson ? JSON.parse(text) : text }
}

const chat = { messages: [{ role: 'user', content: 'Hi' }], temperature: 0, ignore_eos: true, max_tokens: TOKENS } // prettier-ignore

/** A whole streamed reply; fails on an error frame or a missing end. */
async function streamReply(model: string) {
  const response = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...chat, model, stream: true }),
  })
  const frames = readFrames(await response.text())
  if (response.status !== 200 || frames.at(-1) !== '[DONE]') throw new Error(`broken: ${frames.at(-1)}`) // prettier-ignore
  const chunks = frames.slice(0, -1).map((frame) => JSON.parse(frame))
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
  const last = chunks.findLast((chunk) => chunk.choices[0]?.finish_reason)
  return { text, steering: last.steering, finish: last.choices[0].finish_reason }
}

const greedy = async (model: string) => (await streamReply(model)).text

t.test('a published model is served with the attribute model that measures it', async (t) => {
  t.same(server.models, ['npc', 'judge'])
  const list = (await call('GET', '/v1/models')).body.data
  t.match(list, [{ id: 'npc', version: 1, aliases: ['prod'], attribute_model: 'judge' }, { id: 'judge', version: null }]) // prettier-ignore
  for (const name of ['npc', 'npc@prod', 'npc@1']) {
    t.match((await call('GET', `/v1/models/${name}`)).body, { id: 'npc', version: 1 }, name)
  }
  t.equal((await call('GET', '/v1/models/npc@2')).status, 404)
})

t.test(
  `${STREAMS} streams run on while a version is published, aliased, rolled back and deleted`,
  async (t) => {
    const texts = { one: await greedy('npc'), two: '' }
    const replies: Awaited<ReturnType<typeof streamReply>>[] = []
    const over = new AbortController()
    const talk = async (): Promise<void> => {
      while (!over.signal.aborted) replies.push(await streamReply('npc'))
    }
    const talks = Array.from({ length: STREAMS }, talk)
    const base = '/v1/registry/models/npc'

    const published = await call('POST', `${base}/versions`, { from: 'two', note: 'deeper' })
    t.equal(published.status, 201)
    t.match(published.body, { object: 'registry.version', version: 2, aliases: [], served: null })
    t.equal(await greedy('npc'), texts.one, 'without prod nothing changes')

    const moved = await call('PUT', `${base}/aliases/prod`, { version: 2 })
    t.match(moved.body, { version: 2, previous_version: 1, served: { name: 'npc', version: 2, state: 'ready' } }) // prettier-ignore
    texts.two = await greedy('npc')
    t.not(texts.two, texts.one)

    const back = await call('POST', `${base}/aliases/prod/rollback`)
    t.match(back.body, {
      version: 1,
      previous_version: null,
      served: { version: 1, state: 'ready' },
    })
    t.equal(await greedy('npc'), texts.one)

    const inUse = await call('DELETE', `${base}/versions/1`)
    t.match(inUse, { status: 409, body: { error: { code: 'in_use', message: /npc@prod/ } } })
    t.equal((await call('PUT', `${base}/aliases/prod`, { version: 2 })).status, 200)
    t.match(await call('DELETE', `${base}/versions/1`), { status: 200, body: { id: 'npc@1', deleted: true } }) // prettier-ignore
    t.equal(await greedy('npc'), texts.two)

    over.abort()
    await Promise.all(talks)
    t.ok(replies.length >= STREAMS, `${replies.length} replies`)
    for (const { text, steering, finish } of replies) {
      t.ok(text === texts.one || text === texts.two, 'a reply is whole and of one version')
      t.same([finish, steering.achieved], ['length', achieved])
    }
    t.same(new Set(replies.map(({ text }) => text)).size, 2, 'both versions answered')
  },
)

t.test('a version that cannot be loaded is reported; the old one serves on', async (t) => {
  const dir = await addModel('crooked', 'language-model', 1)
  await call('POST', '/v1/registry/models/npc/versions', { from: 'crooked' })
  // Reading finds nothing wrong; loading does.
  await writeFile(join(tiny.home, 'registry', 'npc', 'versions', '3', 'tokenizer.json'), '{}')
  const moved = await call('PUT', '/v1/registry/models/npc/aliases/prod', { version: 3 })
  t.match(moved, { status: 200, body: { version: 3, served: { version: 2, wanted_version: 3, state: 'failed', error: { code: 'bad_tokenizer' } } } }) // prettier-ignore
  t.match((await call('GET', '/v1/models/npc@prod')).body, { version: 2 })
  t.ok(await greedy('npc'))
  const inUse = await call('DELETE', '/v1/registry/models/npc/versions/2')
  t.match(inUse, { status: 409, body: { error: { message: /"npc@2" is served as "npc"/ } } })
  await call('POST', '/v1/registry/models/npc/aliases/prod/rollback')
  await writeFile(join(dir, 'tokenizer.json'), '{}')
  const refused = await call('POST', '/v1/registry/models/npc/versions', { from: 'crooked' })
  t.match(refused, { status: 400, body: { error: { code: 'bad_tokenizer', param: 'from', message: /"crooked": tokenizer\.json/ } } }) // prettier-ignore
  t.notMatch(JSON.stringify(refused.body), tiny.home, 'no folder of the server is told')
  t.match((await call('GET', '/v1/registry/models/npc')).body.versions, [{ version: 3 }, { version: 2 }]) // prettier-ignore
})

t.test('versions and workspace models are served when asked for', async (t) => {
  t.equal((await call('PUT', '/v1/registry/served/nobody')).status, 404)
  t.equal((await call('PUT', '/v1/registry/served/..%2Fone')).status, 404)
  t.match((await call('PUT', '/v1/registry/served/one')).body, { name: 'one', because: 'requested', state: 'ready' }) // prettier-ignore
  t.match((await call('PUT', '/v1/registry/served/npc@2')).body, { name: 'npc@2', version: 2 })
  t.match((await call('PUT', '/v1/registry/served/npc@prod')).body, { name: 'npc', because: 'configured' }) // prettier-ignore
  t.equal(await greedy('npc@2'), await greedy('npc'))
  const failed = await call('PUT', '/v1/registry/served/npc@3')
  t.match(failed, { status: 400, body: { error: { code: 'bad_tokenizer' } } })
  t.same((await call('GET', '/v1/registry/served')).body.data.map((item: { name: string }) => item.name), ['npc', 'one', 'npc@2', 'judge']) // prettier-ignore
  t.match(await call('DELETE', '/v1/registry/workspace/one'), { status: 409 })
  t.match(await call('DELETE', '/v1/registry/served/judge'), { status: 409, body: { error: { message: /attribute model of another/ } } }) // prettier-ignore
  t.equal((await call('DELETE', '/v1/registry/served/npc@2')).status, 200)
  t.equal((await call('DELETE', '/v1/registry/served/npc@2')).status, 404)
  const removed = await call('DELETE', '/v1/models/one')
  t.same(removed, { status: 200, body: { id: 'one', object: 'model', deleted: true } })
  const workspace = (await call('GET', '/v1/registry/workspace')).body.data
  t.match(workspace, [{ name: 'crooked', kind: 'language-model' }, { name: 'judge' }, { name: 'two', problem: null }]) // prettier-ignore
  t.equal((await call('GET', '/v1/models/one')).status, 404)
})

t.test('a broken manifest in the workspace is listed with its problem', async (t) => {
  const dir = join(tiny.home, 'models', 'bad')
  await mkdir(dir)
  await writeFile(join(dir, 'config.json'), '{}')
  await writeFile(join(dir, 'steerlm.json'), '{')
  const { data } = (await call('GET', '/v1/registry/workspace')).body
  t.match(data[0], { name: 'bad', kind: null, problem: /^steerlm\.json is not JSON/ })
})

t.test('what another process publishes is served; deleting the model ends it', async (t) => {
  await registry.publish({ model: 'guest', from: 'two', aliases: ['prod'] })
  while (!server.models.includes('guest')) await new Promise((resolve) => setTimeout(resolve, 20))
  t.match(await call('DELETE', '/v1/registry/models/guest'), { status: 409 })
  t.match(await call('DELETE', '/v1/models/guest'), { status: 200, body: { id: 'guest', object: 'model', deleted: true } }) // prettier-ignore
  t.equal((await call('GET', '/v1/models/guest')).status, 404)
  t.match(await call('DELETE', '/v1/models/judge'), { status: 409 })
  t.match(await call('DELETE', '/v1/models/guest'), { status: 404 })
})

t.test('a card is markdown; bad input says what is wrong', async (t) => {
  const card = await call('GET', '/v1/registry/models/npc/versions/2/card')
  t.match(card, { status: 200, body: /^# npc$/m })
  const bad: [method: string, path: string, body: object | undefined, param: string | null][] = [
    ['POST', '/npc/versions', { from: '/etc' }, 'from'],
    ['POST', '/npc/versions', { from: '../two' }, 'from'],
    ['POST', '/npc/versions', { from: 'two', aliases: ['3'] }, 'aliases.0'],
    ['POST', '/npc/versions', { from: 'two', extra: 1 }, 'extra'],
    ['POST', '/a%2Fb/versions', { from: 'two' }, 'name'],
    ['PUT', '/npc/aliases/prod', { version: 0 }, 'version'],
    ['PUT', '/npc/aliases/4', { version: 2 }, 'alias'],
    ['GET', '/npc/versions/x', undefined, 'version'],
    ['DELETE', '/npc?force=maybe', undefined, 'force'],
  ]
  for (const [method, path, body, param] of bad) {
    const response = await call(method, `/v1/registry/models${path}`, body)
    t.match(response, { status: 400, body: { error: { param } } }, `${method} ${path}`)
  }
  t.equal((await call('PUT', '/v1/registry/models/npc/aliases/prod', { version: 77 })).status, 404)
})
