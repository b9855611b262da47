/** What is served follows the registry; engines are fakes, the registry and its folders are real. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { SteerError } from '../../src/errors.ts'
import { createRegistry } from '../../src/registry/registry.ts'
import { pin, unpin } from '../../src/registry/served-pins.ts'
import { createServing, type ServingOptions } from '../../src/services/serving.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { writeTinyHead } from '../fixtures/tiny-head.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'
import { fakeLanguageModel } from './fake-runtime.ts'

/** A home with the workspace models `tiny` and `bundled/base`; engines note what becomes of them. */
async function place(t: Test) {
  const tiny = createTinyHome(t.testdir())
  await tiny.model('tiny')
  const places = { home: tiny.home, bundledDir: join(tiny.home, 'bundled') }
  await tiny.model('../bundled/base')
  const registry = createRegistry(places)
  const disposed: string[] = []
  const logged: string[] = []
  const broken = new Set<string>()
  const gates = new Map<string, Promise<void>>()
  const options: ServingOptions = {
    places,
    configured: [],
    pollMs: 5,
    log: ({ event, model }) => void logged.push(`${event}: ${model}`),
    async start({ id }) {
      await gates.get(id)
      if (broken.has(id)) throw new SteerError('BAD_CHECKPOINT', `${id} is broken`)
      const runtime = fakeLanguageModel([id], {
        info: { id: 'engine', attributes: [] },
        hang: true,
      })
      return { ...runtime, dispose: async () => void disposed.push(id) }
    },
  }
  const serve = async (more: Partial<ServingOptions> = {}) => {
    const serving = await createServing({ ...options, ...more })
    t.teardown(() => serving.close())
    return serving
  }
  const publish = (...aliases: string[]) => registry.publish({ model: 'm', from: 'tiny', aliases })
  return {
    tiny,
    places,
    registry,
    disposed,
    logged,
    broken,
    gates,
    serve,
    publish,
    home: tiny.home,
  }
}

type Served = Awaited<ReturnType<typeof createServing>>

const shown = (serving: Served) =>
  serving.list().map(({ info }) => `${info.id} ${info.version ?? '-'} ${info.aliases?.join() ?? ''}`) // prettier-ignore

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 2))
}

t.test(
  'bundled models and every prod are served; a published one supersedes a bundled one',
  async (t) => {
    const { registry, publish, serve } = await place(t)
    await publish('prod')
    await registry.publish({ model: 'hidden', from: 'tiny', aliases: ['beta'] })
    const serving = await serve()
    t.same(shown(serving), ['base - ', 'm 1 prod'])
    await registry.publish({ model: 'base', from: 'tiny', aliases: ['prod'] })
    await serving.refresh()
    t.same(shown(serving), ['base 1 prod', 'm 1 prod'])
    await registry.deleteModel('base', { force: true })
    await serving.refresh()
    t.same(shown(serving), ['base - ', 'm 1 prod'], 'the bundled one is back')
  },
)

t.test('the old engine ends its streams, then is put away', async (t) => {
  const { publish, serve, disposed, gates } = await place(t)
  await publish('prod')
  const serving = await serve({ configured: ['m'] })
  const old = serving.list()[0]!
  const abort = new AbortController()
  const request = { prompt: { text: '' }, temperature: 0 }
  const stream = old.generate(request, abort.signal)[Symbol.asyncIterator]()
  t.match((await stream.next()).value, { type: 'start' })
  const gate = Promise.withResolvers<void>()
  gates.set('m@2', gate.promise)
  await publish('prod')
  const switched = serving.refresh()
  await until(() => serving.states()[0]?.state === 'loading')
  t.equal(serving.list()[0], old, 'requests go to the old one while the new one loads')
  t.match(serving.states(), [{ name: 'm', version: 1, wantedVersion: 2 }])
  gate.resolve()
  await switched
  t.same(shown(serving), ['m 2 prod'])
  t.same(disposed, [])
  t.match((await stream.next()).value, { type: 'delta', text: 'm@1' })
  abort.abort()
  await t.rejects(stream.next(), { code: 'CANCELLED' })
  t.same(disposed, ['m@1'])
  t.throws(() => old.hold!(), { code: 'ENGINE_STARTING' })
})

t.test(
  'a version that cannot be loaded leaves the old one, and is tried again after a change',
  async (t) => {
    const { registry, publish, serve, broken, logged, disposed } = await place(t)
    await publish('prod')
    const serving = await serve({ configured: ['m'] })
    broken.add('m@2')
    await publish('prod')
    await serving.refresh()
    t.same(shown(serving), ['m 1 '])
    const [state] = serving.states()
    t.match(state, {
      state: 'failed',
      version: 1,
      wantedVersion: 2,
      error: { detail: 'm@2 is broken' },
    })
    t.ok(logged.includes('model cannot be loaded: m@2'))
    t.same(disposed, [])
    broken.clear()
    await serving.refresh()
    t.same(shown(serving), ['m 1 '], 'not before a change')
    await registry.setAlias('m', 'other', 1)
    await serving.refresh()
    t.same(shown(serving), ['m 2 prod'])
  },
)

t.test('after a restart the last version that loads stands in for a broken one', async (t) => {
  const { publish, serve, broken } = await place(t)
  for (let n = 0; n < 3; n++) await publish('prod')
  broken.add('m@3').add('m@2')
  const serving = await serve()
  t.same(shown(serving), ['base - ', 'm 1 '])
})

t.test('a configured model that is not there or broken fails the start', async (t) => {
  const { serve, broken, disposed, tiny } = await place(t)
  await t.rejects(serve({ configured: ['none'] }), {
    code: 'MODEL_NOT_FOUND',
    detail: /base, tiny/,
  })
  broken.add('tiny')
  await t.rejects(serve({ configured: ['base', 'tiny'] }), { code: 'BAD_CHECKPOINT' })
  t.same(disposed, ['base'], 'what was loaded is put away')
  const nothing = { home: join(tiny.home, 'empty'), bundledDir: join(tiny.home, 'none') }
  await t.rejects(serve({ places: nothing }), { code: 'MODEL_NOT_FOUND', detail: /import one/ })
})

t.test('changes of other processes are noticed', async (t) => {
  const { registry, publish, serve, home, disposed } = await place(t)
  const serving = await serve()
  await publish('prod')
  await until(() => shown(serving).includes('m 1 prod'))
  await pin(home, 'tiny')
  await until(() => shown(serving).includes('tiny - '))
  await unpin(home, 'tiny')
  await until(() => !shown(serving).includes('tiny - '))
  await registry.deleteAlias('m', 'prod')
  await until(() => serving.list().length === 1)
  await until(() => disposed.length === 2)
  t.same(disposed, ['tiny', 'm@1'])
})

t.test('a version asked for shares its engine with the alias that points to it', async (t) => {
  const { publish, serve, disposed, home } = await place(t)
  await publish('prod', 'beta')
  const serving = await serve({ configured: ['m'] })
  await pin(home, 'm@1')
  await pin(home, 'm@beta')
  await serving.refresh()
  t.same(shown(serving), ['m 1 beta,prod', 'm@1 1 beta,prod', 'm@beta 1 beta,prod'])
  await publish('prod')
  await serving.refresh()
  t.same(shown(serving), ['m 2 prod', 'm@1 1 beta', 'm@beta 1 beta'])
  t.same(disposed, [])
})

t.test('an attribute model is served along: the one of the training first', async (t) => {
  const { tiny, serve, registry } = await place(t)
  const attributes = attributeSet('village')
  const write = (dir: string, manifest: object) =>
    writeFile(join(dir, 'steerlm.json'), JSON.stringify({ name: basename(dir), template: 'chat', attributes, ...manifest })) // prettier-ignore
  for (const name of ['a-judge', 'own-judge']) {
    const dir = await tiny.model(name)
    await write(dir, { kind: 'attribute-model' })
    await writeTinyHead(dir, attributes.length)
  }
  await write(await tiny.model('steered'), { kind: 'language-model' })
  t.same(shown(await serve({ configured: ['steered'] })), ['steered - ', 'a-judge - '])
  await write(await tiny.model('steered'), {
    kind: 'language-model',
    stages: [{ apm: 'own-judge' }],
  })
  t.same(shown(await serve({ configured: ['steered'] })), ['steered - ', 'own-judge - '])
  await registry.publish({ model: 'p', from: 'steered', aliases: ['prod'] })
  await rm(join(tiny.home, 'models', 'own-judge'), { recursive: true })
  t.same(shown(await serve({ configured: ['tiny'] })), ['tiny - ', 'p 1 prod', 'a-judge - '])
})

t.test('one broken list of changes does not keep the others from being served', async (t) => {
  const { publish, serve, home, logged } = await place(t)
  await publish('prod')
  await mkdir(join(home, 'registry', 'bad', 'changes'), { recursive: true })
  await writeFile(join(home, 'registry', 'bad', 'changes', '000001.json'), '{')
  t.same(shown(await serve()), ['base - ', 'm 1 prod'])
  t.ok(logged.includes('published model cannot be read: bad'))
})
