/** Tables of rotary position embeddings. (Su et al. 2021; the stretch of Llama 3.1) */
import type { Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'
import type { ModelConfig } from '../model-config.ts'

/** Angular frequency of every pair of channels, [headDim / 2]. */
export function ropeFrequencies(config: ModelConfig): Float64Array {
  const { headDim, ropeTheta, ropeScaling } = config
  const base = Float64Array.from(
    { length: headDim / 2 },
    (_, i) => ropeTheta ** (-(2 * i) / headDim),
  )
  if (ropeScaling.kind === 'default') return base
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = ropeScaling
  return base.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency
    const turns = originalMaxPositions / wavelength
    if (turns > highFreqFactor) return frequency
    if (turns < lowFreqFactor) return frequency / factor
    const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return ((1 - smooth) * frequency) / factor + smooth * frequency
  })
}

/** cos and sin constants [positions, headDim / 2]. */
export function ropeTables(
  b: Builder,
  config: ModelConfig,
  positions: number,
): { cos: Value; sin: Value } {
  const frequencies = ropeFrequencies(config)
  const half = frequencies.length
  const table = (fn: (angle: number) => number) =>
    Float64Array.from({ length: positions * half }, (_, i) =>
      fn(Math.floor(i / half) * frequencies[i % half]!),
    )
  return {
    cos: b.constant('rope.cos', [positions, half], table(Math.cos)),
    sin: b.constant('rope.sin', [positions, half], table(Math.sin)),
  }
}
