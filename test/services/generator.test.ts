/** A request holds its models from its first question to its last, however it ends. */
import t from 'tap'
import { createGenerator, type GenerationRequest } from '../../src/services/generator.ts'
import { createModels } from '../../src/services/models.ts'
import type { ModelRuntime } from '../../src/services/runtime-types.ts'
import { fakeAttributeModel, fakeLanguageModel, type FakeOptions } from './fake-runtime.ts'

const request: GenerationRequest = {
  model: 'village',
  prompts: [{ messages: [{ role: 'user', content: 'Hi' }], attributes: {} }],
  n: 2,
  measure: true,
  options: {},
}

function place(options: FakeOptions = {}) {
  const holds = new Map<string, number>()
  const held = (runtime: ModelRuntime): ModelRuntime => ({
    ...runtime,
    hold() {
      const { id } = runtime.info
      holds.set(id, (holds.get(id) ?? 0) + 1)
      return () => void holds.set(id, holds.get(id)! - 1)
    },
  })
  const served = [held(fakeLanguageModel(['a', 'b'], options)), held(fakeAttributeModel())]
  return { generator: createGenerator(createModels(() => served)), holds }
}

const counts = (holds: ReadonlyMap<string, number>) => [holds.get('village'), holds.get('village-apm')] // prettier-ignore

t.test('both models are held while a reply is written and measured', async (t) => {
  const { generator, holds } = place()
  for await (const { type } of generator.stream(request)) t.same(counts(holds), [1, 1], type)
  t.same(counts(holds), [0, 0])
  const whole = generator.complete({ ...request, verify: { attempts: 2, tolerance: 0 } })
  t.same(counts(holds), [1, 1])
  await whole
  t.same(counts(holds), [0, 0])
})

t.test('an early leave and a failure let go', async (t) => {
  const { generator, holds } = place()
  for await (const _ of generator.stream(request)) break
  t.same(counts(holds), [0, 0])
  const failing = place({ failure: { after: 1, error: new Error('broken') } })
  await t.rejects(failing.generator.complete(request), /broken/)
  t.same(counts(failing.holds), [0, 0])
})

t.test('the engine hears whose request it is: a key, else an address', async (t) => {
  const model = fakeLanguageModel(['a'])
  const generator = createGenerator(createModels(() => [model]))
  const caller = { id: 'k1', name: 'k', scopes: [], requestsPerMinute: null, tokensPerMinute: null }
  const options = { priority: -3 }
  await generator.complete({ ...request, n: 1, caller, address: '10.0.0.1', options })
  await generator.complete({ ...request, n: 1, caller: null, address: '10.0.0.1' })
  await generator.complete({ ...request, n: 1 })
  t.same(
    model.requests.map(({ owner, priority }) => [owner, priority]),
    [
      ['key:k1', -3],
      ['address:10.0.0.1', undefined],
      ['anonymous', undefined],
    ],
  )
})
