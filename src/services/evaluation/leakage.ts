/** What else changes when one slider moves: the leakage matrix and the disentanglement index. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { JudgeReport } from '../../../schemas/steering-report.ts'
import { bootstrapIntervals, mean, olsSlope, type BootstrapOptions } from '../../util/statistics.ts'
import { figure, type Measured } from './measured.ts'

/** The replies to one prompt where one attribute was varied. */
interface Row {
  readonly requested: readonly number[]
  /** By attribute, then by reply. */
  readonly achieved: readonly (readonly number[])[]
}

/** By varied attribute, the rows of one prompt. */
type Cluster = readonly Row[]

function clustersOf(measured: readonly Measured[], attributes: AttributeSet): Cluster[] {
  return [...Map.groupBy(measured, ({ cell }) => cell.prompt).values()].map((group) =>
    attributes.map((_, varied): Row => {
      const cells = group.filter(({ cell }) => cell.varied === varied)
      return {
        requested: cells.map(({ cell }) => cell.level),
        achieved: attributes.map(({ name }) => cells.map(({ achieved }) => achieved[name]!)),
      }
    }),
  )
}

/**
 * L[i][j]: slope of achieved j on the requested level of i over the replies where i is varied. The
 * other requests are the same at all levels of i, so they cannot confound it.
 */
function leakageMatrix(clusters: readonly Cluster[]): number[][] {
  return (clusters[0] ?? []).map((_, i) => {
    const requested = clusters.flatMap((rows) => rows[i]!.requested)
    return clusters[0]!.map((_, j) =>
      olsSlope(
        requested,
        clusters.flatMap((rows) => rows[i]!.achieved[j]!),
      ),
    )
  })
}

/**
 * Mean over i of |L_ii| / Σ_j |L_ij|; a row without any slope is a dead dial and counts 0. Chance
 * slopes only add to the sums, so few prompts make the index, and its resamples more so, too low.
 */
export function disentanglementIndex(leakage: readonly (readonly number[])[]): number {
  return mean(
    leakage.map((row, i) => {
      const sum = row.reduce((total, slope) => total + Math.abs(slope), 0)
      return sum === 0 ? 0 : Math.abs(row[i]!) / sum
    }),
  )
}

export function leakageFigures(
  measured: readonly Measured[],
  options: BootstrapOptions & { readonly attributes: AttributeSet },
): Pick<JudgeReport, 'leakage' | 'disentanglement'> {
  const { attributes } = options
  const statistics = (sample: readonly Cluster[]): Record<string, number> => {
    const matrix = leakageMatrix(sample)
    const slopes = matrix.flatMap((row, i) => row.map((slope, j) => [`${i},${j}`, slope] as const))
    return { ...Object.fromEntries(slopes), index: disentanglementIndex(matrix) }
  }
  const found = bootstrapIntervals(clustersOf(measured, attributes), statistics, options)
  return {
    leakage: attributes.map((_, i) => attributes.map((_, j) => figure(found[`${i},${j}`]!))),
    disentanglement: figure(found.index!),
  }
}
