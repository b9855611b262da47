/** How well rated means can be predicted at all: the correlation of the truth with the raters' means. */
import type { ConversationRecord } from '../../../schemas/records.ts'
import type { VillageAttribute } from './levels.ts'
import { villageAttributes } from './levels.ts'

/** Pearson's r of two equally long lists; 0 when one of them is constant. */
export function pearson(x: readonly number[], y: readonly number[]): number {
  const meanX = mean(x)
  const meanY = mean(y)
  let covariance = 0
  let varianceX = 0
  let varianceY = 0
  x.forEach((value, index) => {
    const dx = value - meanX
    const dy = y[index]! - meanY
    covariance += dx * dy
    varianceX += dx * dx
    varianceY += dy * dy
  })
  return varianceX * varianceY === 0 ? 0 : covariance / Math.sqrt(varianceX * varianceY)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Per attribute, the Pearson correlation between predictions equal to the truth and the raters' means,
 * over the assistant messages that carry both.
 */
export function noiseCeiling(
  records: Iterable<ConversationRecord>,
): Record<VillageAttribute, number> {
  const pairs = villageAttributes.map((attribute) => ({
    attribute,
    truth: [] as number[],
    rated: [] as number[],
  }))
  for (const { messages } of records) {
    for (const message of messages) {
      for (const { attribute, truth, rated } of pairs) {
        const level = message.truth?.[attribute]
        const value = message.attributes?.[attribute]
        if (level === undefined || value === undefined) continue
        truth.push(level)
        rated.push(value)
      }
    }
  }
  return Object.fromEntries(
    pairs.map(({ attribute, truth, rated }) => [attribute, pearson(truth, rated)]),
  ) as Record<VillageAttribute, number>
}
