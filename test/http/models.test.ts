import t from 'tap'
import { AttributeList, PredictResponse } from '../../schemas/attributes-api.ts'
import { Model, ModelList, Readiness } from '../../schemas/models.ts'
import { buildApp } from '../../src/app.ts'
import { fakeAttributeModel, fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson } from './client.ts'

const apm = fakeAttributeModel([{ helpfulness: 1 }, { helpfulness: 2 }])
const plain = fakeLanguageModel(['x'], { info: { id: 'plain', attributes: [] } })
const app = await buildApp({ runtimes: [apm, fakeLanguageModel(['x']), plain] })
t.teardown(() => app.close())

t.test(
  'GET /v1/models lists every model with its attributes and its attribute model',
  async (t) => {
    const list = ModelList.parse((await app.inject('/v1/models')).json())
    t.same(
      list.data.map((model) => [model.id, model.kind, model.attributes.length, model.attribute_model]), // prettier-ignore
      [
        ['village-apm', 'attribute-model', 5, null],
        ['village', 'language-model', 5, 'village-apm'],
        ['plain', 'language-model', 0, null],
      ],
    )
  },
)

t.test('GET /v1/models/:id gives one; another name is a 404', async (t) => {
  const model = Model.parse((await app.inject('/v1/models/village')).json())
  t.match(model, { id: 'village', context_length: 512, owned_by: 'steerlm' })
  t.equal((await app.inject('/v1/models/gpt')).statusCode, 404)
})

t.test('GET /v1/attributes describes a model, the first that writes unless named', async (t) => {
  const list = AttributeList.parse((await app.inject('/v1/attributes')).json())
  t.equal(list.model, 'village')
  t.same(list.data.map((spec) => spec.name), ['helpfulness', 'humor', 'creativity', 'verbosity', 'toxicity']) // prettier-ignore
  t.same(
    list.presets.map(({ name }) => name),
    ['default', 'best'],
  )
  t.same((await app.inject('/v1/attributes?model=plain')).json().data, [])
  t.match((await app.inject('/v1/attributes?modle=plain')).json(), { error: { param: 'modle' } })
})

t.test('POST /v1/attributes/predict takes one conversation or several, in order', async (t) => {
  const messages = [{ role: 'assistant', content: 'Hello.' }]
  const url = '/v1/attributes/predict'
  const one = await postJson(app, url, { model: 'village-apm', messages })
  const rated = PredictResponse.parse(one.json())
  t.match(rated, { calibrated: false, data: [{ attributes: { helpfulness: 1 } }] })
  const { confidence } = rated.data[0]!
  t.ok(confidence.helpfulness! > 0.5 && confidence.helpfulness! < 1)
  const two = await postJson(app, url, {
    model: 'village-apm',
    inputs: [{ messages }, { messages }],
  })
  t.match(two.json().data, [{ attributes: { helpfulness: 2 } }, { attributes: { helpfulness: 2 } }])
  t.same(apm.inputs[1], [messages, messages])
})

t.test('/health and /ready answer; /ready is a 503 while a model restarts', async (t) => {
  t.same((await app.inject('/health')).json(), { status: 'ok' })
  const ready = await app.inject('/ready')
  t.equal(ready.statusCode, 200)
  t.equal(Readiness.parse(ready.json()).status, 'ready')
  const down = await buildApp({ runtimes: [{ ...fakeLanguageModel([]), ready: false }] })
  t.teardown(() => down.close())
  const response = await down.inject('/ready')
  t.equal(response.statusCode, 503)
  t.same(response.json(), { status: 'starting', models: [{ id: 'village', ready: false }] })
})
