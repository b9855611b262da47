/** Presets, defaults, warnings and refusals, before anything is written. */
import t from 'tap'
import type { GenerationRequest } from '../../src/services/generation-types.ts'
import { planSteering } from '../../src/services/steering-plan.ts'
import type { ModelInfo } from '../../src/services/runtime-types.ts'
import { villageInfo } from './fake-runtime.ts'

const info: ModelInfo = {
  ...villageInfo,
  presets: [
    { name: 'jester', attributes: { humor: 4, creativity: 3 }, guidance: 2 },
    { name: 'best', attributes: { helpfulness: 3 } },
  ],
  combinations: [
    { values: [4, 0, 0, 2, 0], count: 3 },
    { values: [4, 4, 3, 2, 0], count: 2 },
    { values: [4, 4, 2, 2, 0], count: 9 },
  ],
}
const request = (more: Partial<GenerationRequest> = {}): GenerationRequest => ({
  ...{ model: 'village', prompts: [], n: 1, measure: true, options: {} },
  ...more,
})
const messages = [{ role: 'user' as const, content: 'Hi' }]
const plan = (more: Partial<GenerationRequest>, attributes = {}, of = info) =>
  planSteering(of, request(more), { messages, attributes })

t.test('what is given comes before the preset, the preset before the defaults', async (t) => {
  const planned = plan({ preset: 'jester' }, { creativity: 2 })
  t.same(planned.requested, { helpfulness: 4, humor: 4, creativity: 2, verbosity: 2, toxicity: 0 })
  t.same(planned.guidance, { scale: 2 })
  t.equal(planned.rows, 2)
  t.same(plan({ preset: 'jester', guidance: 1 }).guidance, undefined)
  t.match(plan({ preset: 'best' }).requested, { helpfulness: 3 }, 'a model may have its own')
  const own = plan({ preset: 'best' }, {}, villageInfo)
  t.match(own.requested, { helpfulness: 4, toxicity: 0, humor: 0 })
  t.throws(() => plan({ preset: 'bard' }), {
    code: 'BAD_REQUEST',
    param: 'steering.preset',
    message: /known: jester, best, default/,
  })
})

t.test('a combination that training never held is told, with the nearest it held', async (t) => {
  t.same(plan({}).warnings, [])
  const { warnings } = plan({}, { humor: 4, creativity: 4 })
  t.match(warnings, [
    {
      code: 'combination_unseen',
      combination: { humor: 4, creativity: 4 },
      nearest: { helpfulness: 4, humor: 4, creativity: 3, verbosity: 2, toxicity: 0 },
    },
  ])
  t.equal(plan({}, { humor: 3.5 }).warnings.length, 2, 'of each line between two levels')
  t.same(plan({}, { humor: 4 }).warnings[0]!.nearest, { helpfulness: 4, humor: 4, creativity: 2, verbosity: 2, toxicity: 0 }, 'the commoner of two') // prettier-ignore
  t.same(plan({}, { humor: 1 }, villageInfo).warnings, [], 'nothing is known of the training')
})

t.test('avoided values alone bring a guidance of their own', async (t) => {
  t.same(plan({ avoid: { toxicity: 4 } }).guidance, { scale: 2, avoid: { toxicity: 4 } })
  t.throws(() => plan({ avoid: { charm: 4 } }), {
    code: 'ATTRIBUTE_UNKNOWN',
    param: 'steering.avoid.charm',
  })
  t.throws(() => plan({ avoid: { humor: 9 } }), {
    code: 'ATTRIBUTE_OUT_OF_RANGE',
    param: 'steering.avoid.humor',
  })
})

t.test('what cannot be steered, or not at once, is refused', async (t) => {
  const kv = { slots: 3, contextLength: 512, bytesPerToken: 1, slotBytes: 1, prefixBytes: 1 }
  const small = { ...info, kv }
  t.equal(plan({ guidance: 2 }, { humor: 0.5 }, small).rows, 3)
  t.throws(() => plan({ guidance: 2 }, { humor: 0.5, verbosity: 1.2 }, small), {
    code: 'BAD_REQUEST',
    message: /4 rows .* 3 slots/,
  })
  const plain = { ...info, attributes: [] }
  t.throws(() => plan({ guidance: 2 }, {}, plain), {
    code: 'BAD_REQUEST',
    param: 'steering.guidance',
  })
  t.throws(() => plan({}, { humor: 1 }, plain), { code: 'ATTRIBUTE_UNKNOWN' })
  t.throws(() => planSteering(info, request({ guidance: 2 }), { text: 'Hi' }), {
    code: 'BAD_REQUEST',
    param: 'steering.guidance',
  })
  t.equal(planSteering(info, request(), { text: 'Hi' }).requested, null)
  t.match(planSteering(info, request({ preset: 'jester' }), { text: 'Hi' }).prompt, {
    text: 'Hi',
    attributes: { humor: 4 },
  })
})
