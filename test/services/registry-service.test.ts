/** What the registry does beside a server: it protects what is in use, and answers with how it is served. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createRegistry } from '../../src/registry/registry.ts'
import { pin, readPins } from '../../src/registry/served-pins.ts'
import { createRegistryService } from '../../src/services/registry-service.ts'
import { createServing } from '../../src/services/serving.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'
import { fakeLanguageModel } from './fake-runtime.ts'

/** `used`: why a model may not be deleted, by name. */
async function place(t: Test, used: Readonly<Record<string, string>> = {}) {
  const tiny = createTinyHome(t.testdir())
  await tiny.model('tiny')
  const places = { home: tiny.home, bundledDir: join(tiny.home, 'bundled') }
  await tiny.model('../bundled/base')
  const loads: string[] = []
  const serving = await createServing({
    places,
    configured: ['base'],
    async start({ id }) {
      loads.push(id)
      return fakeLanguageModel(['x'], { info: { id, attributes: [] } })
    },
  })
  t.teardown(() => serving.close())
  const registry = createRegistry(places)
  const isModelInUse = async (name: string) => used[name] ?? null
  const service = createRegistryService({ registry, serving, places, isModelInUse })
  const publish = (...aliases: string[]) => service.publish({ model: 'm', from: 'tiny', aliases })
  return { tiny, service, publish, loads, home: tiny.home }
}

t.test('what a job uses is not deleted, not even by force', async (t) => {
  const { service, publish } = await place(t, { 'm@1': 'job 7 trains from it', tiny: 'job 8' })
  await publish()
  const refused = { code: 'IN_USE', detail: /"m@1": job 7 trains from it/ }
  await t.rejects(service.deleteVersion('m', 1), refused)
  await t.rejects(service.deleteModel('m', { force: true }), refused)
  await t.rejects(service.deleteServed('m'), refused)
  await t.rejects(service.deleteServed('m@1'), refused)
  await t.rejects(service.deleteWorkspaceModel('tiny'), { code: 'IN_USE', detail: /job 8/ })
  t.equal((await service.workspace()).length, 1)
})

t.test('an answer says how the alias is served: prod under the bare name', async (t) => {
  const { service, publish, home } = await place(t)
  t.equal((await publish()).served, null)
  t.match((await publish('prod', 'beta')).served, { name: 'm', version: 2, state: 'ready' })
  t.equal((await service.setAlias('m', 'beta', 1)).served, null, 'nobody asked for m@beta')
  await pin(home, 'm@beta')
  t.match((await service.setAlias('m', 'beta', 2)).served, { name: 'm@beta', version: 2 })
  t.match((await service.rollback('m', 'beta')).served, { name: 'm@beta', version: 1 })
})

t.test('a deleted model is asked for no longer', async (t) => {
  const { service, publish, home } = await place(t)
  await publish('prod')
  await service.serve('m@1')
  await t.rejects(service.deleteModel('m'), { code: 'IN_USE', detail: /served as/ })
  await service.deleteModel('m', { force: true })
  t.same([...(await readPins(home)).keys()], [])
  t.same(service.served().map(({ name }) => name), ['base']) // prettier-ignore
})

t.test('a workspace model that is asked for again is loaded again', async (t) => {
  const { service, loads } = await place(t)
  await service.serve('tiny')
  await service.serve('tiny')
  t.same(loads, ['base', 'tiny', 'tiny'])
  await t.rejects(service.deleteWorkspaceModel('tiny'), {
    code: 'IN_USE',
    detail: /served as "tiny"/,
  })
  await service.unload('tiny')
  await service.deleteWorkspaceModel('tiny')
  t.same(await service.workspace(), [])
})

t.test('what the server was started with cannot be unloaded or deleted', async (t) => {
  const { service } = await place(t)
  await t.rejects(service.unload('base'), { code: 'IN_USE', detail: /started with/ })
  await t.rejects(service.deleteServed('base'), { code: 'IN_USE' })
  t.match(await service.serve('base'), { because: 'configured', state: 'ready' })
  for (const name of ['none', '../x', 'none@1', 'a/b']) {
    await t.rejects(service.serve(name), { code: 'MODEL_NOT_FOUND' }, name)
    await t.rejects(service.unload(name), { code: 'MODEL_NOT_FOUND' }, name)
    await t.rejects(service.deleteServed(name), { code: 'MODEL_NOT_FOUND' }, name)
  }
})
