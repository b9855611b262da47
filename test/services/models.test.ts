import t from 'tap'
import { createModels } from '../../src/services/models.ts'
import type { ModelInfo } from '../../src/services/runtime-types.ts'
import { fakeAttributeModel, fakeLanguageModel } from './fake-runtime.ts'

const model = (id: string, info: Partial<ModelInfo> = {}) =>
  fakeLanguageModel(['x'], { info: { id, ...info } })
const judge = (id: string, info: Partial<ModelInfo> = {}) =>
  fakeAttributeModel(undefined, { id, ...info })

t.test('a name, its alias and its version mean the same served model', async (t) => {
  const served = [
    model('village', { version: 2, aliases: ['prod', 'best'] }),
    model('village@1', { version: 1, aliases: ['old'] }),
    model('plain'),
  ]
  const models = createModels(() => served)
  for (const name of ['village', 'village@prod', 'village@2', 'village@best']) {
    t.equal(models.get(name), served[0], name)
  }
  for (const name of ['village@1', 'village@old']) t.equal(models.get(name), served[1], name)
  t.equal(models.get('plain'), served[2])
  for (const name of ['village@3', 'village@new', 'plain@prod', 'plain@1', 'village@', 'x@1', '']) {
    t.throws(() => models.get(name), { code: 'MODEL_NOT_FOUND', param: 'model' }, name)
  }
})

t.test('while a new version is loading, @prod is what serves in its place', async (t) => {
  const old = model('village', { version: 1, aliases: [] })
  t.equal(createModels(() => [old]).get('village@prod'), old)
})

t.test('models come and go', async (t) => {
  let served = [model('a')]
  const models = createModels(() => served)
  t.equal(models.default().info.id, 'a')
  served = [model('b')]
  t.equal(models.default().info.id, 'b')
  t.throws(() => models.get('a'), { code: 'MODEL_NOT_FOUND', message: /served here: b/ })
})

t.test('the judge that labelled the training data measures, else the first that can', async (t) => {
  const [first, own, other] = [judge('first'), judge('own', { version: 3 }), judge('other', { attributes: [] })] // prettier-ignore
  const models = createModels(() => [first, own, other])
  const measuredBy = (attributeModel?: string) =>
    models.predictorFor(model('m', { attributeModel }))?.info.id
  t.equal(measuredBy('own@3'), 'own')
  t.equal(measuredBy('own'), 'own')
  t.equal(measuredBy('own@2'), 'first', 'another version is not the one')
  t.equal(measuredBy(), 'first')
  t.equal(measuredBy('other'), 'first', 'it has other attributes')
  t.equal(models.predictorFor(model('m', { attributes: [] })), null)
})
