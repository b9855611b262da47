/** Publishing, aliases, roll back and deletion on tiny real checkpoints in temporary homes. */
import { appendFile, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { createRegistry } from '../../src/registry/registry.ts'
import { readModelState, registryRevision } from '../../src/registry/registry-store.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

async function place(t: Test) {
  const tiny = createTinyHome(t.testdir())
  const source = await tiny.model('tiny')
  const places = { home: tiny.home, bundledDir: join(tiny.home, 'bundled') }
  const registry = createRegistry(places)
  const versions = join(tiny.home, 'registry', 'm', 'versions')
  const publish = (...aliases: string[]) => registry.publish({ model: 'm', from: 'tiny', aliases })
  return { tiny, source, registry, versions, publish, home: tiny.home }
}

t.test('a version is a whole copy with its record and a card', async (t) => {
  const { source, registry, versions, home } = await place(t)
  await mkdir(join(source, 'adapter'))
  await writeFile(join(source, 'adapter', 'adapter_config.json'), '{}')
  const manifest = { kind: 'language-model', name: 'x', template: 'chat', attributes: attributeSet('village') } // prettier-ignore
  await writeFile(join(source, 'steerlm.json'), JSON.stringify(manifest))
  const before = await registryRevision(home)
  const options = { model: 'm', from: 'tiny', aliases: ['prod', 'prod'], note: 'first' }
  const version = await registry.publish(options)
  t.match(version, { model: 'm', version: 1, from: 'tiny', note: 'first', aliases: ['prod'] })
  t.match(version, { kind: 'language-model', attributes: ['helpfulness', 'humor', 'creativity', 'verbosity', 'toxicity'] }) // prettier-ignore
  t.equal(version.dir, join(versions, '1'))
  t.same(version.files.map(({ path }) => path), ['README.md', 'adapter/adapter_config.json', 'config.json', 'model.safetensors', 'steerlm.json', 'tokenizer.json', 'tokenizer_config.json']) // prettier-ignore
  t.same((await readdir(version.dir)).sort(), ['README.md', 'adapter', 'config.json', 'model.safetensors', 'steerlm.json', 'tokenizer.json', 'tokenizer_config.json', 'version.json']) // prettier-ignore
  const inode = async (dir: string) => (await stat(join(dir, 'model.safetensors'))).ino
  t.equal(await inode(version.dir), await inode(source), 'weights take no space twice')
  t.match(await registry.card('m', 1), /^# m$[^]*steered by helpfulness/m)
  t.not(await registryRevision(home), before)
  await registry.verify('m', 1)
})

t.test('a version stays as it is when its source is changed or removed', async (t) => {
  const { tiny, source, registry, publish } = await place(t)
  const first = await publish()
  await rm(source, { recursive: true })
  await tiny.model('tiny', { num_hidden_layers: 1 })
  const second = await publish()
  t.not(second.sha256, first.sha256)
  await registry.verify('m', 1)
  await registry.verify('m', 2)
  const again = await registry.publish({ model: 'm', from: 'm@1' })
  t.match(again, { version: 3, from: 'm@1', sha256: first.sha256 })
})

t.test('a changed file is found', async (t) => {
  const { registry, publish } = await place(t)
  const { dir } = await publish()
  await appendFile(join(dir, 'config.json'), ' ')
  await t.rejects(registry.verify('m', 1), { code: 'BAD_FILE', detail: /config\.json is not/ })
})

t.test('a card that the model brings stays; one is written from the stages else', async (t) => {
  const { source, registry, publish } = await place(t)
  const stage = {
    command: 'train sft',
    base: 'village@3',
    data: { name: 'a|b', sha256: 'f'.repeat(64), rows: 7 },
    hyperParameters: { lr: 0.001, seed: 5 },
    result: { steps: 9, loss: 0.123456, evaluations: [{ step: 9, loss: 0.5 }] },
  }
  const manifest = { kind: 'language-model', name: 'x', template: 'chat', attributes: [], stages: [stage], metrics: { spearman: 0.9 } } // prettier-ignore
  await writeFile(join(source, 'steerlm.json'), JSON.stringify(manifest))
  await publish()
  const card = await registry.card('m', 1)
  t.match(card, `| 1 | train sft | village@3 | a\\|b | 7 | ${'f'.repeat(64)} | 9 | 0.1235 | 0.5 |`)
  t.match(card, '1. lr 0.001, seed 5')
  t.match(card, '| spearman | 0.9 |')
  await writeFile(join(source, 'README.md'), '# Mine')
  await publish()
  t.equal(await registry.card('m', 2), '# Mine')
})

t.test('a folder that is no model is refused with the reason, and nothing is left', async (t) => {
  const { source, registry, versions, publish, home } = await place(t)
  const attempts: [file: string, text: string, code: string, detail: RegExp][] = [
    ['steerlm.json', '{', 'BAD_CHECKPOINT', /"tiny": steerlm\.json is not JSON/],
    ['tokenizer.json', '{}', 'BAD_TOKENIZER', /tokenizer\.json/],
    ['model.safetensors', 'xx', 'BAD_CHECKPOINT', /model\.safetensors/],
    [
      'config.json',
      JSON.stringify({ ...tinyConfig, architectures: ['Gpt9'] }),
      'ARCHITECTURE_UNSUPPORTED',
      /Gpt9/,
    ],
  ]
  for (const [file, text, code, detail] of attempts) {
    const path = join(source, file)
    const good = await readFile(path).catch(() => null)
    await rm(path, { force: true })
    await writeFile(path, text)
    await t.rejects(publish('prod'), { code, detail, param: 'from' }, file)
    await rm(path)
    if (good) await writeFile(path, good)
  }
  t.same(await readdir(versions), [])
  t.same(await registry.list(), [])
  await t.rejects(registry.publish({ model: 'm', from: 'none' }), { code: 'MODEL_NOT_FOUND' })
  await t.rejects(registry.publish({ model: 'm', from: source, paths: false }), { code: 'MODEL_NOT_FOUND' }) // prettier-ignore
  for (const model of ['../x', 'a@b', '.served', '']) {
    await t.rejects(registry.publish({ model, from: 'tiny' }), { code: 'BAD_ARGUMENT' }, model)
  }
  await t.rejects(publish('../x'), { code: 'BAD_ARGUMENT', param: 'alias' })
  t.same(await readdir(join(home, 'registry')), ['m'])
})

t.test('an attribute model needs a head of its attributes', async (t) => {
  const { source, publish } = await place(t)
  const manifest = { kind: 'attribute-model', name: 'x', template: 'chat', attributes: attributeSet('village') } // prettier-ignore
  await writeFile(join(source, 'steerlm.json'), JSON.stringify(manifest))
  await t.rejects(publish(), { code: 'BAD_CHECKPOINT', detail: /head\.safetensors/ })
})

t.test('aliases move, keep their history and roll back', async (t) => {
  const { registry, publish } = await place(t)
  await publish('prod')
  await publish('prod')
  await publish()
  t.match(await registry.setAlias('m', 'prod', 3), { version: 3, previous: 2 })
  t.match(await registry.setAlias('m', 'prod', 3), { version: 3, previous: 2 }, 'no move, no entry')
  t.match(await registry.rollback('m', 'prod'), { version: 2, previous: 1 })
  t.match(await registry.rollback('m', 'prod'), { version: 1, previous: null })
  await t.rejects(registry.rollback('m', 'prod'), { code: 'BAD_REQUEST', detail: /no earlier/ })
  const { aliases, versions } = await registry.get('m')
  t.same(
    aliases[0]!.history.map(({ version, change }) => [change, version]),
    [['publish', 1], ['publish', 2], ['alias', 3], ['rollback', 2], ['rollback', 1]], // prettier-ignore
  )
  t.same(versions.map((item) => [item.version, item.aliases]), [[3, []], [2, []], [1, ['prod']]]) // prettier-ignore
  await t.rejects(registry.setAlias('m', 'prod', 9), { code: 'MODEL_NOT_FOUND', param: 'version' })
  await t.rejects(registry.setAlias('none', 'prod', 1), { code: 'MODEL_NOT_FOUND', param: 'model' })
  await t.rejects(registry.rollback('m', 'beta'), { code: 'MODEL_NOT_FOUND', param: 'alias' })
  await registry.deleteAlias('m', 'prod')
  t.same((await registry.get('m')).aliases, [])
})

t.test('a roll back skips deleted versions', async (t) => {
  const { registry, publish } = await place(t)
  for (let n = 0; n < 3; n++) await publish('prod')
  await registry.deleteVersion('m', 2)
  t.match(await registry.rollback('m', 'prod'), { version: 1 })
})

t.test('a version is deleted only without an alias; its number never comes again', async (t) => {
  const { registry, versions, publish } = await place(t)
  await publish('prod')
  await publish('prod')
  await t.rejects(registry.deleteVersion('m', 2), { code: 'IN_USE', detail: /"m@2" is m@prod/ })
  await registry.deleteVersion('m', 1)
  t.same(await readdir(join(versions, '1')), ['version.json'])
  await t.rejects(registry.deleteVersion('m', 1), { code: 'MODEL_NOT_FOUND' })
  await t.rejects(registry.card('m', 1), { code: 'MODEL_NOT_FOUND', detail: /there are 2/ })
  await t.rejects(registry.deleteModel('m'), { code: 'IN_USE', detail: /m@prod/ })
  await registry.deleteModel('m', { force: true })
  await t.rejects(registry.get('m'), { code: 'MODEL_NOT_FOUND' })
  t.same(await registry.list(), [])
  t.equal((await publish('prod')).version, 3)
})

t.test('publishers side by side get different numbers, and no move is lost', async (t) => {
  const { registry, publish, home } = await place(t)
  const published = await Promise.all(Array.from({ length: 8 }, (_, i) => publish(`a${i}`)))
  t.same(published.map(({ version }) => version).sort(), [1, 2, 3, 4, 5, 6, 7, 8])
  const { aliases } = await readModelState(home, 'm')
  for (const { version, aliases: own } of published) {
    t.equal(aliases.get(own[0]!)?.version, version)
  }
  await registry.sweep()
  t.equal((await registry.get('m')).versions.length, 8)
})

t.test('what a killed process left is swept, what a living one writes is not', async (t) => {
  const { registry, versions, publish } = await place(t)
  await publish()
  const host = hostname()
    .replaceAll(/[^a-zA-Z0-9]/g, '')
    .slice(0, 40)
  const dead = `${host}-${2 ** 22 + 1}-00000000`
  const alive = `${host}-${process.pid}-00000000`
  const foreign = 'elsewhere-1-00000000'
  for (const tag of [dead, alive, foreign]) await mkdir(join(versions, `.${tag}.part`, 'x'), { recursive: true }) // prettier-ignore
  for (const [n, tag] of [
    ['2', dead],
    ['3', alive],
  ] as const) {
    // prettier-ignore
    await mkdir(join(versions, n))
    await writeFile(join(versions, n, 'version.json'), JSON.stringify({ publisher: tag }, null, 2))
  }
  await registry.sweep()
  t.same((await readdir(versions)).sort(), [`.${alive}.part`, `.${foreign}.part`, '1', '3'].sort())
  t.same(
    (await registry.get('m')).versions.map(({ version }) => version),
    [1],
  )
  t.equal((await publish()).version, 4, 'the number of the unfinished one is left out')
})

t.test('a broken list of changes is named', async (t) => {
  const { registry, publish, home } = await place(t)
  await publish()
  await writeFile(join(home, 'registry', 'm', 'changes', '000002.json'), '{"type":"explode"}')
  await t.rejects(registry.get('m'), { code: 'BAD_FILE', detail: /changes, change 2/ })
})
