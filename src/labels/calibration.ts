/** Scores of an attribute model as ratings: the calibrated value, and how sure its level is. */
import type { AttributeSet, AttributeSpec, AttributeValues } from '../../schemas/attributes.ts'
import type { AttributeCalibration, Calibration } from '../../schemas/calibration.ts'
import { normalCdf } from '../util/statistics.ts'
import { levelOf } from './label-codec.ts'

type Spreads = Readonly<Record<string, Pick<AttributeCalibration, 'spread'>>>
type Points = readonly (readonly [number, number])[]

/** The value that raters would give on average, not cut to the range; the score where nothing is known. */
export function calibrated(
  calibration: Calibration | undefined,
  name: string,
  score: number,
): number {
  const points = calibration?.[name]?.points
  return points ? onLine(points, score, 1) : score
}

/** All scores of a row, in the order of the attributes. */
export const calibratedValues = (
  attributes: AttributeSet,
  scores: ArrayLike<number>,
  calibration?: Calibration,
): Record<string, number> =>
  Object.fromEntries(
    attributes.map(({ name }, a) => [name, calibrated(calibration, name, scores[a]!)]),
  )

/**
 * The probability of each level from `min` to `max`, for a value that a model predicted: ratings lie around it
 * normally, and count for the level next to them. Without a calibration their variance is that of SteerLM 2.0's Beta
 * distribution, r (1 − r) / 25 of the scaled value (arXiv 2406.08673, section 4.5).
 */
export function levelProbabilities(
  spec: AttributeSpec,
  value: number,
  calibration?: Spreads,
): number[] {
  const sd = spreadAt(spec, value, calibration)
  const below = (limit: number): number => normalCdf((limit - value) / sd)
  return spec.levels.map((_, i) => {
    const level = spec.min + i
    const low = level === spec.min ? 0 : below(level - 0.5)
    return (level === spec.max ? 1 : below(level + 0.5)) - low
  })
}

/** The probability that raters give the level that the value rounds to, by attribute. */
export function confidences(
  attributes: AttributeSet,
  values: AttributeValues,
  calibration?: Calibration,
): Record<string, number> {
  return Object.fromEntries(
    attributes.map((spec) => {
      const value = values[spec.name]!
      const probabilities = levelProbabilities(spec, value, calibration)
      return [spec.name, probabilities[levelOf(spec, value) - spec.min]!]
    }),
  )
}

function spreadAt(spec: AttributeSpec, value: number, calibration?: Spreads): number {
  const points = calibration?.[spec.name]?.spread
  if (points) return onLine(points, value, 0)
  const range = spec.max - spec.min
  const r = Math.min(0.98, Math.max(0.02, (value - spec.min) / range))
  return range * Math.sqrt((r * (1 - r)) / 25)
}

/** Linear between points with rising x; beyond the ends with the slope given. */
export function onLine(points: Points, x: number, outerSlope: 0 | 1): number {
  const [first, last] = [points[0]!, points.at(-1)!]
  if (x <= first[0]) return first[1] + outerSlope * (x - first[0])
  if (x >= last[0]) return last[1] + outerSlope * (x - last[0])
  const after = points.findIndex(([at]) => at > x)
  const [[x0, y0], [x1, y1]] = [points[after - 1]!, points[after]!]
  return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0)
}
