import t from 'tap'
import { ropeFrequencies, ropeStrength, ropeTables } from '../../src/arch/blocks/rope.ts'
import { parseModelConfig } from '../../src/arch/read-model-config.ts'
import { createBuilder } from '../../src/ops/builder.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'

t.test('frequencies without scaling are θ^(−2i/D)', async (t) => {
  const config = parseModelConfig({ ...tinyConfig, rope_theta: 16 }, 'tiny')
  const wanted = [1, 1 / 2, 1 / 4, 1 / 8] // 16^(−2i/8)
  t.ok(largestDifference(ropeFrequencies(config.attention[0]!.rope!, 8), wanted) < 1e-15)
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
  const found = ropeFrequencies(config.attention[0]!.rope!, 8)
  t.ok(largestDifference(found, wanted) < 1e-9, `${[...found]}`)
})

const frequenciesOf = (changes: object, positions: number) => {
  const config = parseModelConfig({ ...tinyConfig, rope_theta: 16, ...changes }, 'tiny')
  return ropeFrequencies(config.attention[0]!.rope!, positions)
}

t.test('linear divides every frequency', async (t) => {
  const found = frequenciesOf({ rope_scaling: { type: 'linear', factor: 4 } }, 8)
  t.same([...found], [1 / 4, 1 / 8, 1 / 16, 1 / 32])
})

t.test(
  'YaRN keeps fast turns, divides slow ones, with a ramp over the pairs between',
  async (t) => {
    const scaling = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32 }
    // Pair i turns 32 · f / 2π times: 8 ln(32 / (2π t)) / (2 ln 16) is −2.65 for 32 turns, 2.35 for one.
    // The ramp goes from 0 to 3, so pair i is divided by 1/3 · i.
    const wanted = [1, (1 / 2) * (1 / 12 + 2 / 3), (1 / 4) * (2 / 12 + 1 / 3), 1 / 8 / 4]
    const found = frequenciesOf({ rope_scaling: scaling }, 8)
    t.ok(largestDifference(found, wanted) < 1e-12, `${[...found]}`)
  },
)

t.test(
  'LongRoPE has one list up to the original context, one beyond, and a strength',
  async (t) => {
    const changes = {
      architectures: ['Phi3ForCausalLM'],
      original_max_position_embeddings: 8,
      rope_scaling: { type: 'longrope', short_factor: [1, 1, 1, 2], long_factor: [2, 4, 8, 16] },
    }
    t.same([...frequenciesOf(changes, 8)], [1, 1 / 2, 1 / 4, 1 / 16])
    t.same([...frequenciesOf(changes, 9)], [1 / 2, 1 / 8, 1 / 32, 1 / 128])
    const rope = parseModelConfig({ ...tinyConfig, ...changes }, 'tiny').attention[0]!.rope!
    // 32 positions are 4 times 8: √(1 + ln 4 / ln 8) = √(5/3), in cos at position 0.
    t.ok(Math.abs(ropeStrength(rope) - Math.sqrt(5 / 3)) < 1e-12)
    const b = createBuilder('g', 'float64')
    b.output('cos', ropeTables(b, 8)(rope).cos)
    const { source } = b.build().initializers[0]!
    if (source.kind !== 'data') throw new Error('expected data')
    const [first] = new Float64Array(source.bytes.slice().buffer)
    t.ok(Math.abs(first! - Math.sqrt(5 / 3)) < 1e-12)
  },
)

t.test('the tables hold cos and sin of position · frequency', async (t) => {
  const config = parseModelConfig({ ...tinyConfig, rope_theta: 16 }, 'tiny')
  const b = createBuilder('g', 'float64')
  const { cos, sin } = ropeTables(b, 3)(config.attention[0]!.rope!)
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
