/**
 * Requested against achieved attribute values: correlations, slopes, range, monotonicity, leakage.
 * (Definitions: Chang et al. 2505.23816 for side effects, Tan et al. 2407.12404 for anti-steerable
 * inputs; the disentanglement index is the diagonal's share of each row of the leakage matrix.)
 */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type {
  AttributeFigures,
  FigureWithInterval,
  JudgeReport,
} from '../../../schemas/steering-report.ts'
import { createRandom } from '../../util/random.ts'
import {
  bootstrapInterval,
  kendallTauB,
  mean,
  meanAbsoluteError,
  olsSlope,
  pearson,
  spearman,
} from '../../util/statistics.ts'
import type { Cell } from './steering-grid.ts'

/** A cell and what one judge measured in its reply, by attribute. */
export interface Measured {
  readonly cell: Cell
  readonly achieved: Readonly<Record<string, number>>
}

interface Point {
  readonly requested: number
  readonly achieved: number
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
const requestedOf = (points: readonly Point[]) => points.map(({ requested }) => requested)
const achievedOf = (points: readonly Point[]) => points.map(({ achieved }) => achieved)

/** Applies a statistic of two paired lists to points. */
const paired =
  (statistic: (x: number[], y: number[]) => number) =>
  (points: readonly Point[]): number =>
    statistic(requestedOf(points), achievedOf(points))

function levelMeans(points: readonly Point[], levels: readonly number[]): number[] {
  return levels.map((level) =>
    mean(achievedOf(points.filter(({ requested }) => requested === level))),
  )
}

/** Points of one attribute, those of a prompt together. */
function byPrompt(measured: readonly Measured[], varied: number, name: string): Point[][] {
  const clusters = new Map<number, Point[]>()
  for (const { cell, achieved } of measured) {
    if (cell.varied !== varied) continue
    const point = { requested: cell.level, achieved: achieved[name]! }
    clusters.set(cell.prompt, [...(clusters.get(cell.prompt) ?? []), point])
  }
  return [...clusters.values()]
}

function attributeFigures(
  clusters: Point[][],
  levels: readonly number[],
  seed: number,
): AttributeFigures {
  const interval = (statistic: (points: readonly Point[]) => number): FigureWithInterval => {
    const { value, low, high } = bootstrapInterval(clusters, statistic, { seed })
    return { value: finite(value), low: finite(low), high: finite(high) }
  }
  const points = clusters.flat()
  const means = levelMeans(points, levels)
  const steps = means.slice(1).map((value, i) => value >= means[i]! - 1e-9)
  const share = (test: (cluster: Point[]) => boolean) =>
    clusters.filter(test).length / clusters.length
  const off = points.map(({ requested, achieved }) => Math.abs(Math.round(achieved) - requested))
  return {
    spearman: interval(paired(spearman)),
    pearson: interval(paired(pearson)),
    slope: interval(paired(olsSlope)),
    dynamicRange: interval((sample) => {
      const ends = levelMeans(sample, [levels[0]!, levels.at(-1)!])
      return ends[1]! - ends[0]!
    }),
    mae: interval(paired(meanAbsoluteError)),
    exact: off.filter((d) => d === 0).length / off.length,
    withinOne: off.filter((d) => d <= 1).length / off.length,
    monotonicity: steps.filter(Boolean).length / steps.length,
    risingPrompts: share((cluster) => paired(kendallTauB)(cluster) > 0),
    antiSteerable: share((cluster) => paired(olsSlope)(cluster) < 0),
    levels: levels.map((level) => {
      const at = (sample: readonly Point[]) => levelMeans(sample, [level])[0]!
      return { level, achieved: interval(at) }
    }),
  }
}

/** L[i][j]: slope of achieved j on the requested level of i, over the cells that vary i. */
function leakageMatrix(measured: readonly Measured[], attributes: AttributeSet): number[][] {
  return attributes.map((_, varied) => {
    const cells = measured.filter(({ cell }) => cell.varied === varied)
    const requested = cells.map(({ cell }) => cell.level)
    return attributes.map(({ name }) =>
      olsSlope(
        requested,
        cells.map(({ achieved }) => achieved[name]!),
      ),
    )
  })
}

function disentanglementIndex(leakage: readonly (readonly number[])[]): number {
  return mean(
    leakage.map(
      (row, i) => Math.abs(row[i]!) / row.reduce((sum, slope) => sum + Math.abs(slope), 0),
    ),
  )
}

/** Spearman after a seeded permutation of the requests against the replies: about 0 for a fair judge. */
function shuffledSpearman(clusters: Point[][], seed: number): number {
  const points = clusters.flat()
  const requested = createRandom(seed).fork('shuffle').shuffle(requestedOf(points))
  return spearman(requested, achievedOf(points))
}

export function judgeReport(
  measured: readonly Measured[],
  promptOnly: readonly Measured[] | null,
  options: {
    readonly attributes: AttributeSet
    readonly levels: readonly number[]
    readonly seed: number
  },
): JudgeReport {
  const { attributes, levels, seed } = options
  const leakage = leakageMatrix(measured, attributes)
  const each = <T>(make: (name: string, varied: number) => T): Record<string, T> =>
    Object.fromEntries(attributes.map(({ name }, varied) => [name, make(name, varied)]))
  const clusters = (source: readonly Measured[], varied: number, name: string) =>
    byPrompt(source, varied, name)
  return {
    attributes: each((name, varied) =>
      attributeFigures(clusters(measured, varied, name), levels, seed),
    ),
    leakage: leakage.map((row) => row.map(finite)),
    disentanglement: finite(disentanglementIndex(leakage)),
    shuffled: each((name, varied) =>
      finite(shuffledSpearman(clusters(measured, varied, name), seed)),
    ),
    promptOnly:
      promptOnly &&
      each((name, varied) => finite(paired(spearman)(clusters(promptOnly, varied, name).flat()))),
  }
}
