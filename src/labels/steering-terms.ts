/**
 * Which label lines a reply is written under, and how their distributions become one. Values between two levels, guidance
 * and avoided settings are all such sums; the engine runs a row for each line.
 */
import type { AttributeSet, AttributeValues } from '../../schemas/attributes.ts'
import { fail } from '../errors.ts'
import { formatLabel } from './label-codec.ts'

/** log p = Σ weight · log Σ share · p(reply | values) over the terms and their lines. Shares of a term sum to 1. */
export interface SteeringTerm {
  readonly weight: number
  readonly lines: readonly SteeringLine[]
}

export interface SteeringLine {
  /** Null: no label line. */
  readonly values: Record<string, number> | null
  readonly share: number
}

export interface Guidance {
  /** γ: 1 is none, more exaggerates what sets the requested values apart, 0 leaves them out. */
  readonly scale: number
  /** Values to move away from, instead of from the unlabelled reply; attributes left out are as requested. */
  readonly avoid?: AttributeValues
}

/** Values as near to a level as this count as the level: a row more would change nothing. */
const SNAP = 0.02

/**
 * Weights sum to 1. With guidance log p = γ · log p(requested) + (1 − γ) · log p(other), the other being the unlabelled
 * reply (Sanchez et al. 2023, arXiv 2306.17806) or the avoided values (as in DExperts, Liu et al. 2021, arXiv 2105.03023,
 * with α = γ − 1 and the requested values as both base and expert).
 * Fails BAD_REQUEST where the avoided values are the requested ones.
 */
export function steeringTerms(
  set: AttributeSet,
  values: AttributeValues,
  { scale, avoid }: Guidance = { scale: 1 },
): SteeringTerm[] {
  const wanted = linesBetween(set, values)
  const others = avoid ? linesBetween(set, { ...values, ...avoid }) : [{ values: null, share: 1 }]
  if (avoid && isSame(set, wanted, others)) {
    fail('BAD_REQUEST', 'steering.avoid: these are the very values that are asked for', {
      param: 'steering.avoid',
    })
  }
  const terms = [
    { weight: scale, lines: wanted },
    { weight: 1 - scale, lines: others },
  ]
  return terms.filter(({ weight }) => weight !== 0)
}

/** How many rows the engine needs. */
export const rowsOf = (terms: readonly SteeringTerm[]): number =>
  terms.reduce((sum, { lines }) => sum + lines.length, 0)

/**
 * The neighbouring settings at whole levels whose mixture stands for `values`: with k values between levels the k + 1
 * corners of their Freudenthal simplex, raised one by one in the order of what is left above the lower level. (Linear
 * interpolation over simplices: Kuhn 1960; the cube would have 2^k corners.) Mixed as probabilities, not logits: of what
 * was tried that rises most evenly (`docs/experiments.md`).
 */
export function linesBetween(set: AttributeSet, values: AttributeValues): SteeringLine[] {
  const parts = Object.entries(values).map(([name, value]) => ({ name, ...split(value) }))
  const between = parts.filter(({ rest }) => rest > 0).toSorted((a, b) => b.rest - a.rest)
  const corner = Object.fromEntries(parts.map(({ name, level }) => [name, level]))
  const lines = [{ values: { ...corner }, share: 1 - (between[0]?.rest ?? 0) }]
  between.forEach(({ name, rest }, i) => {
    corner[name]! += 1
    lines.push({ values: { ...corner }, share: rest - (between[i + 1]?.rest ?? 0) })
  })
  return mergeLines(set, lines)
}

function split(value: number): { level: number; rest: number } {
  const nearest = Math.round(value)
  if (Math.abs(value - nearest) <= SNAP) return { level: nearest, rest: 0 }
  const level = Math.floor(value)
  return { level, rest: value - level }
}

/** One for each label line, the one with the largest share first; of values that are equally far above their levels the corner between them has no share. */
function mergeLines(set: AttributeSet, lines: readonly SteeringLine[]): SteeringLine[] {
  const byLabel = new Map<string, SteeringLine>()
  for (const line of lines) {
    const label = labelOf(set, line)
    byLabel.set(label, { ...line, share: line.share + (byLabel.get(label)?.share ?? 0) })
  }
  return [...byLabel.values()]
    .filter(({ share }) => share > 1e-9)
    .toSorted((a, b) => b.share - a.share)
}

const labelOf = (set: AttributeSet, { values }: SteeringLine): string =>
  values ? formatLabel(set, values) : ''

function isSame(
  set: AttributeSet,
  a: readonly SteeringLine[],
  b: readonly SteeringLine[],
): boolean {
  const keyOf = (line: SteeringLine) => `${labelOf(set, line)} ${line.share}`
  return a.map(keyOf).join() === b.map(keyOf).join()
}
