/** Tables of rotary position embeddings (Su et al. 2021) and the ways in which checkpoints stretch them. */
import type { Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'
import type { Rope, RopeScaling } from '../model-config.ts'

type Scaling<K extends RopeScaling['kind']> = Extract<RopeScaling, { kind: K }>

function llama3(base: Float64Array, scaling: Scaling<'llama3'>): Float64Array {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling
  return base.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency
    const turns = originalMaxPositions / wavelength
    if (turns > highFreqFactor) return frequency
    if (turns < lowFreqFactor) return frequency / factor
    const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return ((1 - smooth) * frequency) / factor + smooth * frequency
  })
}

/** Pairs that turn often stay, those that turn seldom are divided, a ramp over the pairs between. */
function yarn(base: Float64Array, rope: Rope, scaling: Scaling<'yarn'>): Float64Array {
  const { factor, betaFast, betaSlow, truncate, originalMaxPositions } = scaling
  /** The pair, counted as a real number, that makes so many turns within the original context. */
  const pairOf = (turns: number) =>
    (rope.dim * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(rope.theta))
  const [first, last] = [pairOf(betaFast), pairOf(betaSlow)]
  const low = Math.max(truncate ? Math.floor(first) : first, 0)
  const high = Math.min(truncate ? Math.ceil(last) : last, rope.dim - 1)
  const width = low === high ? 0.001 : high - low
  return base.map((frequency, i) => {
    const slow = Math.min(Math.max((i - low) / width, 0), 1)
    return (frequency / factor) * slow + frequency * (1 - slow)
  })
}

/** Angular frequency of every pair of channels, [dim / 2], in a context of that many positions. */
export function ropeFrequencies(rope: Rope, positions: number): Float64Array {
  const { dim, theta, scaling } = rope
  const base = Float64Array.from({ length: dim / 2 }, (_, i) => theta ** (-(2 * i) / dim))
  switch (scaling.kind) {
    case 'default':
      return base
    case 'linear':
      return base.map((frequency) => frequency / scaling.factor)
    case 'llama3':
      return llama3(base, scaling)
    case 'yarn':
      return yarn(base, rope, scaling)
    case 'longrope': {
      const { shortFactors, longFactors, originalMaxPositions } = scaling
      const factors = positions > originalMaxPositions ? longFactors : shortFactors
      return base.map((frequency, i) => frequency / factors[i]!)
    }
  }
}

/** What cos and sin are multiplied by. */
export const ropeStrength = ({ scaling }: Rope): number =>
  'attentionFactor' in scaling ? scaling.attentionFactor : 1

export interface RopeTables {
  readonly cos: Value
  readonly sin: Value
}

/** A lookup of cos and sin constants [positions, dim / 2]; each `Rope` is recorded once. */
export function ropeTables(b: Builder, positions: number): (rope: Rope) => RopeTables {
  const known = new Map<Rope, RopeTables>()
  return (rope) => {
    const found = known.get(rope)
    if (found) return found
    const frequencies = ropeFrequencies(rope, positions)
    const strength = ropeStrength(rope)
    const half = frequencies.length
    const table = (fn: (angle: number) => number) =>
      Float64Array.from(
        { length: positions * half },
        (_, i) => strength * fn(Math.floor(i / half) * frequencies[i % half]!),
      )
    const name = `rope.${known.size}`
    const tables = {
      cos: b.constant(`${name}.cos`, [positions, half], table(Math.cos)),
      sin: b.constant(`${name}.sin`, [positions, half], table(Math.sin)),
    }
    known.set(rope, tables)
    return tables
  }
}
