import t from 'tap'
import { ropeFrequencies, ropeTables } from '../../src/arch/blocks/rope.ts'
import { parseModelConfig } from '../../src/arch/model-config.ts'
import { createBuilder } from '../../src/ops/builder.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'

t.test('frequencies without scaling are θ^(−2i/D)', async (t) => {
  const config = parseModelConfig({ ...tinyConfig, rope_theta: 16 }, 'tiny')
  const wanted = [1, 1 / 2, 1 / 4, 1 / 8] // 16^(−2i/8)
  t.ok(largestDifference(ropeFrequencies(config), wanted) < 1e-15)
})

t.test('llama3 keeps fast turns, divides slow ones and blends between', async (t) => {
  const config = parseModelConfig(
    {
      ...tinyConfig,
      rope_theta: 100,
      rope_scaling: {
        rope_type: 'llama3',
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 128,
      },
    },
    'tiny',
  )
  // Turns within 128 positions: 128 · f / 2π = 20.4, 6.44, 2.04, 0.644.
  // The third blends with s = (2.0371833 − 1) / 3 = 0.3457278: 0.1 · (0.6542722 / 8 + 0.3457278).
  const wanted = [1, Math.sqrt(0.1), 0.04275117875, Math.sqrt(0.001) / 8]
  const found = ropeFrequencies(config)
  t.ok(largestDifference(found, wanted) < 1e-9, `${[...found]}`)
})

t.test('the tables hold cos and sin of position · frequency', async (t) => {
  const config = parseModelConfig({ ...tinyConfig, rope_theta: 16 }, 'tiny')
  const b = createBuilder('g', 'float64')
  const { cos, sin } = ropeTables(b, config, 3)
  b.output('cos', cos)
  b.output('sin', sin)
  t.same(
    [cos.shape, sin.shape],
    [
      [3, 4],
      [3, 4],
    ],
  )
  const angles = [0, 0, 0, 0, 1, 0.5, 0.25, 0.125, 2, 1, 0.5, 0.25]
  const tables = b.build().initializers.map(({ source }) => {
    if (source.kind !== 'data') throw new Error('expected data')
    return new Float64Array(source.bytes.slice().buffer)
  })
  t.ok(largestDifference(tables[0]!, angles.map(Math.cos)) < 1e-15)
  t.ok(largestDifference(tables[1]!, angles.map(Math.sin)) < 1e-15)
})
