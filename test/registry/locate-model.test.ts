import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { listModels, locateModel, resolveModel } from '../../src/registry/locate-model.ts'
import { createRegistry } from '../../src/registry/registry.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

async function model(...path: string[]): Promise<string> {
  const dir = join(...path)
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'config.json'), '{}')
  return dir
}

t.test('a name is looked up among user models, then bundled ones; a path works, too', async (t) => {
  const root = t.testdir()
  const places = { home: join(root, 'home'), bundledDir: join(root, 'bundled') }
  const bundled = await model(places.bundledDir, 'village')
  t.equal(await resolveModel('village', places), bundled)
  const own = await model(places.home, 'models', 'village')
  t.equal(await resolveModel('village', places), own)
  t.equal(await resolveModel(bundled, places), bundled)
  await t.rejects(locateModel(bundled, places, { paths: false }), { code: 'MODEL_NOT_FOUND' })
  await model(places.home, 'models', 'other')
  await mkdir(join(places.home, 'models', 'half'))
  for (const name of ['half', 'none', '..', '', `${root}/none`, 'village@prod', 'village@1']) {
    await t.rejects(
      resolveModel(name, places),
      { code: 'MODEL_NOT_FOUND', detail: /there are: other, village/, param: 'model' },
      name,
    )
  }
  t.same(
    (await listModels(places)).map(({ name, dir, source }) => [name, dir, source]),
    [
      ['other', join(places.home, 'models', 'other'), 'workspace'],
      ['village', own, 'workspace'],
    ],
  )
})

t.test('a published model is named by version, alias, or bare as prod', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const places = { home: tiny.home, bundledDir: join(tiny.home, 'bundled') }
  const registry = createRegistry(places)
  await model(places.bundledDir, 'm')
  const source = await tiny.model('tiny')
  await registry.publish({ model: 'm', from: 'tiny', aliases: ['old'] })
  t.match(await locateModel('m', places), { name: 'm', source: 'bundled' }, 'without prod')
  await registry.publish({ model: 'm', from: 'tiny', aliases: ['prod'] })
  const versions = join(tiny.home, 'registry', 'm', 'versions')
  for (const [name, version] of [
    ['m', 2],
    ['m@prod', 2],
    ['m@2', 2],
    ['m@old', 1],
    ['m@1', 1],
  ] as const) {
    // prettier-ignore
    const wanted = { name: `m@${version}`, dir: join(versions, `${version}`), source: 'published', version } // prettier-ignore
    t.same(await locateModel(name, places, { paths: false }), wanted, name)
  }
  for (const name of ['m@3', 'm@beta', 'x@prod']) {
    await t.rejects(locateModel(name, places), { code: 'MODEL_NOT_FOUND' }, name)
  }
  t.same((await listModels(places)).map(({ name, source }) => [name, source]), [['m', 'published'], ['tiny', 'workspace']]) // prettier-ignore
  await writeFile(join(source, 'steerlm.json'), '{')
  t.same(
    (await listModels(places)).map(({ name }) => name),
    ['m'],
    'a broken one is left out',
  )
  await rm(source, { recursive: true })
  await tiny.model('m')
  t.match(await locateModel('m', places), { source: 'workspace' }, 'what was trained last')
})
