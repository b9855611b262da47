import t from 'tap'
import { parseModelConfig } from '../../src/arch/read-model-config.ts'
import { describeKvBudget, planKvMemory } from '../../src/engine/kv-budget.ts'
import { formatByteSize, parseByteSize } from '../../src/util/byte-size.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'

const config = parseModelConfig({ ...tinyConfig, max_position_embeddings: 2048 }, 'test')
/** 2 KiB a token, so 4 MiB a slot of 2048. */
const plan = (asked: Parameters<typeof planKvMemory>[2]) => planKvMemory(config, 2048, asked)
const MiB = 2 ** 20

t.test('sizes are read as people write them', async (t) => {
  t.equal(parseByteSize('512MB'), 512e6)
  t.equal(parseByteSize('2GiB'), 2 * 2 ** 30)
  t.equal(parseByteSize('1.5 g'), 1.5 * 2 ** 30)
  t.equal(parseByteSize('4096'), 4096)
  for (const wrong of ['', 'MB', '-1MB', '1TBB', '0', '1e400', '1 2']) {
    t.equal(parseByteSize(wrong), null, wrong)
  }
  t.equal(formatByteSize(36.5 * MiB), '36.5 MiB')
})

t.test(
  'without a budget: eight slots of the whole context, a quarter more or less beside',
  async (t) => {
    t.match(plan({}), { slots: 8, contextLength: 2048, slotBytes: 32 * MiB })
    t.match(plan({ slots: 2, contextLength: 100 }), { slots: 2, contextLength: 100 })
    const { slotBytes, prefixBytes } = plan({})
    t.ok(Math.abs(prefixBytes / (slotBytes + prefixBytes) - 0.25) < 1e-6)
  },
)

t.test('a budget gives as many whole slots as fit into three quarters of it', async (t) => {
  t.match(plan({ memoryBytes: 100 * MiB }), {
    slots: 8,
    contextLength: 2048,
    prefixBytes: 25 * MiB,
  })
  t.match(plan({ memoryBytes: 20 * MiB }), { slots: 3, contextLength: 2048, prefixBytes: 5 * MiB })
  for (const mib of [1, 3, 5.33, 7, 20, 64]) {
    const { slotBytes, prefixBytes } = plan({ memoryBytes: mib * MiB })
    t.ok(slotBytes + prefixBytes <= mib * MiB, `${mib} MiB are not exceeded`)
  }
})

t.test('where not one slot fits, the context is cut, down to 256 tokens', async (t) => {
  t.match(plan({ memoryBytes: 2 * MiB }), { slots: 1, contextLength: 768 })
  t.match(plan({ memoryBytes: 8 * MiB, slots: 8 }), { slots: 8, contextLength: 384 })
  t.throws(() => plan({ memoryBytes: MiB / 2 }), {
    code: 'BAD_ARGUMENT',
    param: '--kv-memory',
    message:
      /1 slot of 256 tokens and the prefix cache need 682.7 KiB \(699051 bytes\), got 512.0 KiB/,
  })
  t.throws(() => plan({ memoryBytes: 8 * MiB, slots: 16 }), { message: /16 slots of 256 tokens/ })
})

t.test('what was asked for is kept or refused', async (t) => {
  t.match(plan({ memoryBytes: 8 * MiB, contextLength: 1024 }), { slots: 3, contextLength: 1024 })
  t.throws(() => plan({ memoryBytes: 8 * MiB, slots: 4, contextLength: 1024 }), {
    message: /4 slots of 1024 tokens and the prefix cache need 10.7 MiB/,
  })
  t.throws(() => plan({ contextLength: 4096 }), { message: /expected 1 to 2048, got 4096/ })
})

t.test('the log says what came out', async (t) => {
  const text = describeKvBudget(plan({ memoryBytes: 20 * MiB }))
  t.equal(text, '3 slots of 2048 tokens in 12.0 MiB, prefix cache of 5.0 MiB')
})
