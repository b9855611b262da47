/** Labelling: an attribute model's scores, put on the replies of conversations. */
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { ConversationRecord, Message } from '../../schemas/records.ts'
import type { PromptTemplate } from '../datasets/prompt-template.ts'
import type { Scorer } from '../engine/index.ts'

export interface Labeller {
  readonly scorer: Scorer
  /** The attribute model's own template. */
  readonly template: PromptTemplate
  readonly attributes: AttributeSet
}

/** Scores by name, clamped to each attribute's range, to three decimals. */
export const attributeValues = (
  attributes: AttributeSet,
  scores: Float32Array,
): Record<string, number> =>
  Object.fromEntries(
    attributes.map(({ name, min, max }, a) => {
      const value = Math.min(max, Math.max(min, scores[a]!))
      return [name, Math.round(value * 1000) / 1000]
    }),
  )

/** Puts predicted values on every reply; what raters said is replaced, because the model denoises it. */
export async function labelRecords(
  records: readonly ConversationRecord[],
  labeller: Labeller,
): Promise<ConversationRecord[]> {
  const turns = records.flatMap(({ messages }, record) =>
    messages.flatMap(({ role }, turn) => (role === 'assistant' ? [{ record, turn }] : [])),
  )
  const rows = turns.map(({ record, turn }) =>
    labeller.template.scoringTokens(records[record]!.messages.slice(0, turn + 1)),
  )
  const scores = await labeller.scorer.score(rows)
  const labelled = records.map(({ id, messages, meta }) => {
    return { id, messages: messages.map(({ role, content }): Message => ({ role, content })), meta }
  })
  turns.forEach(({ record, turn }, i) => {
    labelled[record]!.messages[turn]!.attributes = attributeValues(labeller.attributes, scores[i]!)
  })
  return labelled
}
