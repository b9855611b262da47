/** Labelling: an attribute model's scores, put on the replies of conversations. */
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { Calibration } from '../../schemas/calibration.ts'
import type { ConversationRecord, Message } from '../../schemas/records.ts'
import type { PromptTemplate } from '../datasets/prompt-template.ts'
import type { Scorer } from '../engine/index.ts'
import { calibrated } from '../labels/calibration.ts'

export interface Labeller {
  readonly scorer: Scorer
  /** The attribute model's own template. */
  readonly template: PromptTemplate
  readonly attributes: AttributeSet
  /** Unset: the scores are taken as they are. */
  readonly calibration?: Calibration
}

/** Scores by name, calibrated, clamped to each attribute's range, to three decimals. */
export const attributeValues = (
  attributes: AttributeSet,
  scores: Float32Array,
  calibration?: Calibration,
): Record<string, number> =>
  Object.fromEntries(
    attributes.map(({ name, min, max }, a) => {
      const value = Math.min(max, Math.max(min, calibrated(calibration, name, scores[a]!)))
      return [name, Math.round(value * 1000) / 1000]
    }),
  )

/** The values that the model predicts for every reply of a conversation, in order. */
export type PredictedValues = Record<string, number>[]

/** Rates every reply of the conversations. */
export async function predictReplies(
  records: readonly ConversationRecord[],
  { scorer, template, attributes, calibration }: Labeller,
): Promise<PredictedValues[]> {
  const rows = records.map(({ messages }) =>
    messages.flatMap(({ role }, turn) =>
      role === 'assistant' ? [template.scoringTokens(messages.slice(0, turn + 1))] : [],
    ),
  )
  const scores = await scorer.score(rows.flat())
  let next = 0
  return rows.map((replies) =>
    replies.map(() => attributeValues(attributes, scores[next++]!, calibration)),
  )
}

/** A conversation with these values on its replies; what raters said is replaced, because the model denoises it. */
export function withLabels(
  { id, messages, meta }: ConversationRecord,
  values: PredictedValues,
): ConversationRecord {
  let next = 0
  const labelled = messages.map(({ role, content }): Message => {
    if (role !== 'assistant') return { role, content }
    return { role, content, attributes: values[next++]! }
  })
  return { id, messages: labelled, meta }
}

/** Puts predicted values on every reply. */
export async function labelRecords(
  records: readonly ConversationRecord[],
  labeller: Labeller,
): Promise<ConversationRecord[]> {
  const values = await predictReplies(records, labeller)
  return records.map((record, i) => withLabels(record, values[i]!))
}
