/** How well an attribute model predicts ratings, and how well the raters' noise allows. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import { fail } from '../../errors.ts'
import { createRandom } from '../../util/random.ts'
import {
  mean,
  meanAbsoluteError,
  pearson,
  quadraticKappa,
  spearman,
} from '../../util/statistics.ts'
import { finite } from './measured.ts'

/** One rated reply: values by attribute, absent where not rated. */
export interface RatedReply {
  readonly predicted: Readonly<Record<string, number>>
  /** Means of the raters. */
  readonly rated: Readonly<Record<string, number>>
  readonly ratings?: Readonly<Record<string, readonly number[]>>
  readonly truth?: Readonly<Record<string, number>>
}

/** Null where a figure is undefined, as for predictions that are all equal. */
export interface ApmFigures {
  readonly count: number
  readonly pearson: number | null
  readonly spearman: number | null
  readonly mae: number | null
  readonly kappa: number | null
  /** Pearson that perfect predictions would reach against these raters; null where unknown. */
  readonly ceiling: number | null
  /** pearson / ceiling */
  readonly ofCeiling: number | null
}

const SPLITS = 20
/** Fewer replies with two raters say nothing about agreement. */
const PAIRS_AT_LEAST = 10

/**
 * √ of the reliability of the raters' means: the correlation of one random rater with another,
 * averaged over draws, stepped up to the mean number of raters by Spearman–Brown.
 */
function agreementCeiling(replies: readonly RatedReply[], name: string): number | null {
  const rated = replies.map(({ ratings }) => ratings?.[name] ?? [])
  const several = rated.filter((values) => values.length >= 2)
  if (several.length < PAIRS_AT_LEAST) return null
  const random = createRandom(1).fork(`raters of ${name}`)
  const draws = Array.from({ length: SPLITS }, () => {
    const pairs = several.map((values) => random.shuffle([...values]))
    return pearson(
      pairs.map(([one]) => one!),
      pairs.map(([, other]) => other!),
    )
  })
  const single = mean(draws)
  const raters = mean(rated.filter((values) => values.length > 0).map(({ length }) => length))
  return finite(Math.sqrt((raters * single) / (1 + (raters - 1) * single)))
}

function ceilingOf(replies: readonly RatedReply[], name: string): number | null {
  if (replies.some(({ truth }) => truth?.[name] === undefined))
    return agreementCeiling(replies, name)
  return finite(
    pearson(
      replies.map(({ truth }) => truth![name]!),
      replies.map(({ rated }) => rated[name]!),
    ),
  )
}

function predictionOf({ predicted }: RatedReply, name: string): number {
  return (
    predicted[name] ??
    fail('BAD_ARGUMENT', `the attribute model predicts no "${name}"`, { param: 'apm' })
  )
}

/** Replies without a rating of an attribute do not count for it. */
export function evaluateApm(
  replies: readonly RatedReply[],
  attributes: AttributeSet,
): Record<string, ApmFigures> {
  return Object.fromEntries(
    attributes.map(({ name, min, max }) => {
      const known = replies.filter(({ rated }) => rated[name] !== undefined)
      const predicted = known.map((reply) => predictionOf(reply, name))
      const rated = known.map((reply) => reply.rated[name]!)
      const correlation = finite(pearson(predicted, rated))
      const ceiling = ceilingOf(known, name)
      const figures: ApmFigures = {
        count: known.length,
        pearson: correlation,
        spearman: finite(spearman(predicted, rated)),
        mae: finite(meanAbsoluteError(predicted, rated)),
        kappa: finite(quadraticKappa(predicted, rated, { min, max })),
        ceiling,
        ofCeiling: correlation === null || ceiling === null ? null : finite(correlation / ceiling),
      }
      return [name, figures]
    }),
  )
}
