/**
 * Calibrates an attribute model on rated replies that it was not trained on. Per attribute the simplest of three maps
 * from score to rating that does not lose: none, a line, or a monotone curve (isotonic regression by pooling adjacent
 * violators; Zadrozny & Elkan 2002). Maps are compared, and the errors measured, by fitting each half of the prompts
 * and predicting the other.
 */
import type { AttributeSet, AttributeSpec } from '../../schemas/attributes.ts'
import type { AttributeCalibration, Calibration } from '../../schemas/calibration.ts'
import { levelProbabilities, onLine } from '../labels/calibration.ts'
import { levelOf } from '../labels/label-codec.ts'
import { mean, olsSlope, rootMeanSquareError } from '../util/statistics.ts'

/** One rated reply: a score and a rating for each attribute, NaN where not rated. */
export interface RatedScores {
  /** Replies to the same prompt share it. */
  readonly prompt: string
  readonly scores: ArrayLike<number>
  readonly ratings: ArrayLike<number>
}

/** Fewer rated replies than this say too little. */
export const leastRows = 60

interface Pair {
  readonly prompt: string
  readonly score: number
  readonly rating: number
}

type Points = AttributeCalibration['points']
type Method = AttributeCalibration['method']

export function fitCalibration(
  rows: readonly RatedScores[],
  attributes: AttributeSet,
): Calibration {
  return Object.fromEntries(
    attributes.flatMap((spec, a) => {
      const pairs = rows
        .map(({ prompt, scores, ratings }) => ({
          prompt,
          score: scores[a]!,
          rating: ratings[a]!,
        }))
        .filter(({ rating, score }) => Number.isFinite(rating) && Number.isFinite(score))
      return pairs.length < leastRows ? [] : [[spec.name, fitAttribute(pairs, spec)]]
    }),
  )
}

function fitAttribute(pairs: readonly Pair[], spec: AttributeSpec): AttributeCalibration {
  const halves = halve(pairs)
  const method = bestMethod(halves)
  const points = fitters[method](pairs)
  const crossed = crossFit(halves, fitters[method])
  return {
    method,
    points: rising(points.map(rounded)),
    spread: rising(fitSpread(crossed, spec).map(rounded)),
    rows: pairs.length,
    error: {
      before: round(meanError(pairs.map(({ score, rating }) => [score, rating]))),
      after: round(meanError(crossed)),
    },
    confidence_error: round(confidenceError(halves, method, spec)),
  }
}

/** By prompt, so that no half knows a prompt of the other. */
function halve(pairs: readonly Pair[]): [Pair[], Pair[]] {
  const prompts = [...new Set(pairs.map(({ prompt }) => prompt))]
  const first = new Set(prompts.filter((_, i) => i % 2 === 0))
  return [
    pairs.filter(({ prompt }) => first.has(prompt)),
    pairs.filter(({ prompt }) => !first.has(prompt)),
  ]
}

type Predicted = readonly [value: number, rating: number]

/** What each half says of the other. */
function crossFit(
  [a, b]: readonly [Pair[], Pair[]],
  fit: (pairs: readonly Pair[]) => Points,
): Predicted[] {
  const apply = (points: Points, pairs: readonly Pair[]): Predicted[] =>
    pairs.map(({ score, rating }) => [onLine(points, score, 1), rating])
  return [...apply(fit(b), a), ...apply(fit(a), b)]
}

/** A map has to lower the error by this share to take the place of a simpler one. */
const worthIt = 0.005

function bestMethod(halves: readonly [Pair[], Pair[]]): Method {
  const errorOf = (method: Method): number => {
    const predicted = crossFit(halves, fitters[method])
    return rootMeanSquareError(predicted.map(([value]) => value), predicted.map(([, rating]) => rating)) // prettier-ignore
  }
  let best: Method = 'none'
  let least = errorOf(best)
  if (halves.some((half) => half.length < 10)) return best
  for (const method of ['linear', 'isotonic'] as const) {
    const error = errorOf(method)
    if (!(error < least * (1 - worthIt))) continue
    best = method
    least = error
  }
  return best
}

const fitters: { readonly [M in Method]: (pairs: readonly Pair[]) => Points } = {
  none: () => [[0, 0]],
  linear(pairs) {
    const scores = pairs.map(({ score }) => score)
    const ratings = pairs.map(({ rating }) => rating)
    const slope = olsSlope(scores, ratings)
    const [x, y] = [mean(scores), mean(ratings)]
    // A falling or flat line would turn the attribute around or away.
    if (!(slope > 0.05)) return [[x, y]]
    const [low, high] = [Math.min(...scores), Math.max(...scores)]
    return [
      [low, y + slope * (low - x)],
      [high, y + slope * (high - x)],
    ]
  },
  isotonic: (pairs) => isotonicPoints(pairs),
}

interface Block {
  scores: number
  ratings: number
  count: number
}

/** Means of the pooled blocks, each of at least a twentieth of the pairs, so that single raters do not show. */
function isotonicPoints(pairs: readonly Pair[]): Points {
  const least = Math.max(10, Math.ceil(pairs.length / 20))
  const blocks: Block[] = []
  const level = (block: Block): number => block.ratings / block.count
  for (const part of chunks(
    pairs.toSorted((a, b) => a.score - b.score),
    least,
  )) {
    blocks.push({
      scores: part.reduce((sum, { score }) => sum + score, 0),
      ratings: part.reduce((sum, { rating }) => sum + rating, 0),
      count: part.length,
    })
    while (blocks.length > 1 && level(blocks.at(-2)!) >= level(blocks.at(-1)!)) {
      const last = blocks.pop()!
      const before = blocks.at(-1)!
      before.scores += last.scores
      before.ratings += last.ratings
      before.count += last.count
    }
  }
  const points = blocks.map((block): Points[number] => [block.scores / block.count, level(block)])
  return rising(points)
}

/** Pieces of `size`, the last one larger. */
function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.max(1, Math.floor(items.length / size))
  return Array.from({ length: count }, (_, i) =>
    items.slice(i * size, i === count - 1 ? undefined : (i + 1) * size),
  )
}

/** Bins of equally many. */
function inBins<T>(items: readonly T[], key: (item: T) => number, count = 10): T[][] {
  const sorted = items.toSorted((a, b) => key(a) - key(b))
  const edges = Array.from({ length: count + 1 }, (_, i) => Math.round((i * sorted.length) / count))
  const bins = edges.slice(1).map((end, i) => sorted.slice(edges[i], end))
  return bins.filter((bin) => bin.length > 0)
}

/** Mean over ten bins of |mean of the one − mean of the other|. */
export function meanError(pairs: readonly Predicted[]): number {
  const gaps = inBins(pairs, ([value]) => value).map((bin) => {
    const gap = mean(bin.map(([value]) => value)) - mean(bin.map(([, rating]) => rating))
    return Math.abs(gap) * bin.length
  })
  return gaps.reduce((sum, gap) => sum + gap, 0) / pairs.length
}

/** Root mean square of what is left, over five bins; never so small that a level is certain. */
function fitSpread(predicted: readonly Predicted[], { min, max }: AttributeSpec): Points {
  const floor = (max - min) / 80
  const points = inBins(predicted, ([value]) => value, 5).map((bin): Points[number] => {
    const sd = Math.sqrt(mean(bin.map(([value, rating]) => (value - rating) ** 2)))
    return [mean(bin.map(([value]) => value)), Math.max(floor, sd)]
  })
  return rising(points)
}

/** Spread and map from one half, the share of hits in the other. */
function confidenceError(
  [a, b]: readonly [Pair[], Pair[]],
  method: Method,
  spec: AttributeSpec,
): number {
  const judge = (from: readonly Pair[], to: readonly Pair[]): Predicted[] => {
    const points = fitters[method](from)
    const value = (score: number): number => onLine(points, score, 1)
    const spread = fitSpread(from.map(({ score, rating }) => [value(score), rating]), spec) // prettier-ignore
    return to.map(({ score, rating }) => {
      const predicted = value(score)
      const level = levelOf(spec, predicted)
      const sure = levelProbabilities(spec, predicted, { [spec.name]: { spread } })
      return [sure[level - spec.min]!, Number(levelOf(spec, rating) === level)]
    })
  }
  return meanError([...judge(b, a), ...judge(a, b)])
}

const rising = (points: Points): Points =>
  points.filter(([x], i) => i === 0 || x > points[i - 1]![0])

const round = (value: number): number => Math.round(value * 1e4) / 1e4
const rounded = ([x, y]: Points[number]): Points[number] => [round(x), round(y)]
