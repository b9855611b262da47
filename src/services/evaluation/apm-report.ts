/** How well an attribute model predicts ratings, and how well the raters' noise allows. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import { createRandom } from '../../util/random.ts'
import {
  mean,
  meanAbsoluteError,
  pearson,
  quadraticKappa,
  spearman,
} from '../../util/statistics.ts'

/** One rated reply: values by attribute, absent where not rated. */
export interface RatedReply {
  readonly predicted: Readonly<Record<string, number>>
  /** Means of the raters. */
  readonly rated: Readonly<Record<string, number>>
  readonly ratings?: Readonly<Record<string, readonly number[]>>
  readonly truth?: Readonly<Record<string, number>>
}

export interface ApmFigures {
  readonly count: number
  readonly pearson: number
  readonly spearman: number
  readonly mae: number
  readonly kappa: number
  /** Pearson that perfect predictions would reach against these raters; null where unknown. */
  readonly ceiling: number | null
  /** pearson / ceiling */
  readonly ofCeiling: number | null
}

/** Reliability of rater means from random halves, stepped up by Spearman–Brown, as a correlation with the truth: √r. */
function splitHalfCeiling(replies: readonly RatedReply[], name: string): number | null {
  const random = createRandom(1).fork(`split half ${name}`)
  const halves = replies.flatMap(({ ratings }) => {
    const values = random.shuffle([...(ratings?.[name] ?? [])])
    if (values.length < 2) return []
    const middle = Math.floor(values.length / 2)
    return [[mean(values.slice(0, middle)), mean(values.slice(middle))] as const]
  })
  if (halves.length < 10) return null
  const r = pearson(
    halves.map(([a]) => a),
    halves.map(([, b]) => b),
  )
  return Math.sqrt((2 * r) / (1 + r))
}

function ceilingOf(replies: readonly RatedReply[], name: string): number | null {
  if (!replies.every(({ truth }) => truth?.[name] !== undefined))
    return splitHalfCeiling(replies, name)
  return pearson(
    replies.map(({ truth }) => truth![name]!),
    replies.map(({ rated }) => rated[name]!),
  )
}

export function evaluateApm(
  replies: readonly RatedReply[],
  attributes: AttributeSet,
): Record<string, ApmFigures> {
  return Object.fromEntries(
    attributes.map(({ name, min, max }) => {
      const known = replies.filter(({ rated }) => rated[name] !== undefined)
      const predicted = known.map((reply) => reply.predicted[name]!)
      const rated = known.map((reply) => reply.rated[name]!)
      const correlation = pearson(predicted, rated)
      const ceiling = ceilingOf(known, name)
      const figures: ApmFigures = {
        count: known.length,
        pearson: correlation,
        spearman: spearman(predicted, rated),
        mae: meanAbsoluteError(predicted, rated),
        kappa: quadraticKappa(predicted, rated, { min, max }),
        ceiling,
        ofCeiling: ceiling === null ? null : correlation / ceiling,
      }
      return [name, figures]
    }),
  )
}
