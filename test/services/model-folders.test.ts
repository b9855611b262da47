import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { findModels, listModels } from '../../src/services/model-folders.ts'

const attributes = attributeSet('village')
const languageModel = { kind: 'language-model', template: 'chat', attributes }
const attributeModel = { ...languageModel, kind: 'attribute-model' }
const plain = { ...languageModel, attributes: [] }

const root = t.testdir()
const home = join(root, 'home')
const bundled = join(root, 'bundled')
const places = { roots: [home, bundled] }

async function addModel(where: string, name: string, manifest?: object): Promise<void> {
  const dir = join(where, name)
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'config.json'), '{}')
  if (manifest) await writeFile(join(dir, 'steerlm.json'), JSON.stringify({ name, ...manifest }))
}

await addModel(bundled, 'village', languageModel)
await addModel(bundled, 'village-apm', attributeModel)
await addModel(home, 'mine', languageModel)
await addModel(home, 'stories')
await addModel(home, 'broken', { kind: 'nothing' })
await mkdir(join(home, 'not-a-model'))

const idsOf = (models: { id: string }[]): string[] => models.map((model) => model.id)

t.test('without names the bundled models are served', async (t) => {
  t.same(idsOf(await findModels([], places)), ['village', 'village-apm'])
})

t.test('a named model brings the attribute model with the same attributes', async (t) => {
  t.same(idsOf(await findModels(['mine'], places)), ['mine', 'village-apm'])
  t.same(idsOf(await findModels(['stories', 'stories'], places)), ['stories'])
})

t.test(
  'a folder without a manifest is a plain language model; a path works as a name',
  async (t) => {
    const [model] = await findModels([join(home, 'stories')], places)
    t.match(model, { id: 'stories', manifest: { ...plain, name: 'stories' } })
  },
)

t.test('an unknown name says what there is; a broken manifest says where', async (t) => {
  await t.rejects(findModels(['gpt'], places), {
    code: 'MODEL_NOT_FOUND',
    message: /known: mine, stories, village, village-apm/,
  })
  await t.rejects(findModels(['..'], places), { code: 'MODEL_NOT_FOUND' })
  await t.rejects(findModels(['broken'], places), {
    code: 'BAD_CHECKPOINT',
    message: /steerlm\.json: kind/,
  })
})

t.test('listing leaves out what is no model, and missing roots', async (t) => {
  const found = await listModels({ roots: [home, join(root, 'nowhere')] })
  t.same(idsOf(found), ['mine', 'stories'])
  await t.rejects(findModels([], { roots: [join(root, 'nowhere')] }), { code: 'MODEL_NOT_FOUND' })
})
