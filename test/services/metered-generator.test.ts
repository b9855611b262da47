import t from 'tap'
import type { Caller } from '../../src/services/keys.ts'
import { createGenerator, type GenerationRequest } from '../../src/services/generator.ts'
import { meterGenerator } from '../../src/services/metered-generator.ts'
import { createModels } from '../../src/services/models.ts'
import { fakeLanguageModel } from './fake-runtime.ts'

const caller: Caller = {
  id: 'a',
  name: 'a',
  scopes: ['generate'],
  requestsPerMinute: null,
  tokensPerMinute: null,
}
const request: GenerationRequest = {
  model: 'village',
  prompts: [{ text: 'x' }],
  n: 2,
  options: {},
  measure: false,
  caller,
}

function metered(pieces: string[]) {
  const spent: [string, number, number][] = []
  const generator = meterGenerator(
    createGenerator(createModels(() => [fakeLanguageModel(pieces)])),
    ({ id }, { promptTokens, completionTokens }) =>
      void spent.push([id, promptTokens, completionTokens]),
  )
  return { generator, spent }
}

t.test('a whole stream costs what its usage says', async (t) => {
  const { generator, spent } = metered(['a', 'b', 'c'])
  for await (const event of generator.stream(request)) t.ok(event.type)
  t.same(spent, [['a', 5, 6]])
  await generator.complete(request)
  t.same(spent, [['a', 5, 6], ['a', 5, 6]]) // prettier-ignore
})

t.test('a stream that its reader leaves costs what came', async (t) => {
  const { generator, spent } = metered(['a', 'b', 'c'])
  for await (const event of generator.stream({ ...request, n: 1 })) {
    if (event.type === 'delta' && event.text === 'b') break
  }
  t.same(spent, [['a', 5, 2]])
})

t.test('without a caller nothing is counted', async (t) => {
  const { generator, spent } = metered(['a'])
  await generator.complete({ ...request, caller: null })
  t.same(spent, [])
})
