/**
 * Requested against achieved attribute values: correlations, slopes, range, monotonicity, baselines.
 * (Definitions: Chang et al. 2505.23816 for side effects, Tan et al. 2407.12404 for anti-steerable
 * inputs.) The unit of every interval is the prompt. The leakage stands in leakage.ts.
 */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { AttributeFigures, JudgeReport } from '../../../schemas/steering-report.ts'
import { createRandom } from '../../util/random.ts'
import {
  bootstrapIntervals,
  centralRange,
  kendallTauB,
  mean,
  meanAbsoluteError,
  olsSlope,
  pearson,
  spearman,
  type BootstrapOptions,
} from '../../util/statistics.ts'
import { leakageFigures } from './leakage.ts'
import { figure, finite, type Measured } from './measured.ts'
import { combinationKey } from './steering-grid.ts'

export interface MetricsOptions extends BootstrapOptions {
  readonly attributes: AttributeSet
  readonly levels: readonly number[]
  /** Keys of the combinations that training held. */
  readonly seen?: ReadonlySet<string>
}

/** The replies to one prompt while one attribute was varied, paired by index. */
interface Cluster {
  readonly requested: readonly number[]
  readonly achieved: readonly number[]
}

const PERMUTATIONS = 200

function clustersOf(measured: readonly Measured[], varied: number, name: string): Cluster[] {
  const cells = measured.filter(({ cell }) => cell.varied === varied)
  return [...Map.groupBy(cells, ({ cell }) => cell.prompt).values()].map((group) => ({
    requested: group.map(({ cell }) => cell.level),
    achieved: group.map(({ achieved }) => achieved[name]!),
  }))
}

const joined = (clusters: readonly Cluster[]): Cluster => ({
  requested: clusters.flatMap(({ requested }) => requested),
  achieved: clusters.flatMap(({ achieved }) => achieved),
})

function levelMeans({ requested, achieved }: Cluster, levels: readonly number[]): number[] {
  return levels.map((level) => mean(achieved.filter((_, i) => requested[i] === level)))
}

/** Share of the values that pass. */
const share = <T>(values: readonly T[], test: (value: T) => boolean): number =>
  values.filter(test).length / values.length

function pointFigures(clusters: readonly Cluster[], levels: readonly number[]) {
  const all = joined(clusters)
  const { requested, achieved } = all
  const means = levelMeans(all, levels)
  const steps = means.slice(1).map((value, i) => value - means[i]!)
  const distance = achieved.map((value, i) => Math.abs(Math.round(value) - requested[i]!))
  return {
    spearman: spearman(requested, achieved),
    pearson: pearson(requested, achieved),
    slope: olsSlope(requested, achieved),
    dynamicRange: means.at(-1)! - means[0]!,
    mae: meanAbsoluteError(requested, achieved),
    exact: share(distance, (d) => d === 0),
    withinOne: share(distance, (d) => d <= 1),
    // Equal means may differ in the last bits.
    monotonicity: share(steps, (step) => step >= -1e-9),
    risingPrompts: share(clusters, (c) => kendallTauB(c.requested, c.achieved) > 0),
    antiSteerable: share(clusters, (c) => olsSlope(c.requested, c.achieved) < -1e-9),
  }
}

function attributeFigures(clusters: readonly Cluster[], options: MetricsOptions): AttributeFigures {
  const { levels } = options
  const found = bootstrapIntervals(clusters, (sample) => pointFigures(sample, levels), options)
  const means = bootstrapIntervals(
    clusters,
    (sample) => levelMeans(joined(sample), levels) as Readonly<Record<number, number>>,
    options,
  )
  return {
    spearman: figure(found.spearman),
    pearson: figure(found.pearson),
    slope: figure(found.slope),
    dynamicRange: figure(found.dynamicRange),
    mae: figure(found.mae),
    exact: figure(found.exact),
    withinOne: figure(found.withinOne),
    monotonicity: figure(found.monotonicity),
    risingPrompts: figure(found.risingPrompts),
    antiSteerable: figure(found.antiSteerable),
    levels: levels.map((level, i) => ({ level, achieved: figure(means[i]!) })),
  }
}

/** Spearman where the requests are permuted against the replies: what a judge finds by chance. */
function shuffledSpearman(clusters: readonly Cluster[], { seed }: MetricsOptions) {
  const { requested, achieved } = joined(clusters)
  const random = createRandom(seed).fork('shuffle')
  const values = Array.from({ length: PERMUTATIONS }, () =>
    spearman(random.shuffle([...requested]), achieved),
  )
  return figure({ value: mean(values), ...centralRange(values) })
}

function promptOnlyFigures(clusters: readonly Cluster[], options: MetricsOptions) {
  const { spearman, dynamicRange } = attributeFigures(clusters, options)
  return { spearman, dynamicRange }
}

/** The error over all attributes of the replies to seen and to unseen combinations. */
function feasibility(
  measured: readonly Measured[],
  { attributes, seen }: MetricsOptions,
): JudgeReport['feasibility'] {
  if (!seen) return null
  const errorOf = (of: readonly Measured[]) => {
    const errors = of.flatMap(({ cell, achieved }) =>
      attributes.map(({ name }) => Math.abs(achieved[name]! - cell.requested[name]!)),
    )
    return { replies: of.length, mae: finite(mean(errors)) }
  }
  const isSeen = ({ cell }: Measured) => seen.has(combinationKey(cell, attributes))
  return {
    seen: errorOf(measured.filter(isSeen)),
    unseen: errorOf(measured.filter((m) => !isSeen(m))),
  }
}

export function judgeReport(
  measured: readonly Measured[],
  promptOnly: readonly Measured[] | null,
  options: MetricsOptions,
): JudgeReport {
  const each = <T>(of: readonly Measured[], make: (clusters: Cluster[]) => T): Record<string, T> =>
    Object.fromEntries(
      options.attributes.map(({ name }, varied) => [name, make(clustersOf(of, varied, name))]),
    )
  return {
    attributes: each(measured, (clusters) => attributeFigures(clusters, options)),
    ...leakageFigures(measured, options),
    baselines: {
      shuffled: each(measured, (clusters) => shuffledSpearman(clusters, options)),
      promptOnly: promptOnly && each(promptOnly, (c) => promptOnlyFigures(c, options)),
    },
    feasibility: feasibility(measured, options),
  }
}
