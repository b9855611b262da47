/**
 * openbmb/UltraFeedback: a prompt with up to four replies, each rated 1 … 5 by GPT-4 on four aspects. Ratings become
 * levels 0 … 4, as the other sets have them; `N/A` is no rating. `overall_score` is left alone: it is wrong in a part
 * of the rows (OpenBMB/UltraFeedback #8).
 */
import { z } from 'zod'
import type { ConversationRecord } from '../../../schemas/records.ts'

const Rating = z.union([
  z.literal('N/A').transform(() => null),
  z.coerce
    .number()
    .min(1)
    .max(5)
    .transform((value) => value - 1),
])
const Aspect = z.object({ Rating }).nullish()
const Completion = z.object({
  model: z.string().nullish(),
  principle: z.string().nullish(),
  response: z.string(),
  annotations: z.object({
    instruction_following: Aspect,
    honesty: Aspect,
    truthfulness: Aspect,
    helpfulness: Aspect,
  }),
})
const UltrafeedbackRow = z.object({
  source: z.string().nullish(),
  instruction: z.string(),
  completions: z.array(Completion).min(1).max(64),
})

export function fromUltrafeedbackRow(value: unknown): ConversationRecord[] {
  const { source, instruction, completions } = UltrafeedbackRow.parse(value)
  return completions.map(({ model, principle, response, annotations }) => {
    const rated = Object.entries(annotations).flatMap(([name, aspect]) =>
      aspect && aspect.Rating !== null ? [[name, aspect.Rating] as const] : [],
    )
    return {
      messages: [
        { role: 'user', content: instruction },
        {
          role: 'assistant',
          content: response,
          ...(rated.length > 0 && { attributes: Object.fromEntries(rated) }),
        },
      ],
      meta: {
        ...(source && { source }),
        ...(model && { model }),
        ...(principle && { principle }),
      },
    }
  })
}
