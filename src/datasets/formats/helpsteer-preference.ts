/**
 * HelpSteer2's `preference` and HelpSteer3: two replies and by how much one is better, −3 (the first, by far) to
 * 3 (the second). 0 is a tie, which NeMo-Aligner counted as a win of the second.
 */
import { z } from 'zod'
import type { Message, PreferenceRecord } from '../../../schemas/records.ts'
import { splitHelpsteerPrompt } from './helpsteer.ts'

const strength = z.int().min(-3).max(3)

const Helpsteer2Row = z.object({
  prompt: z.string(),
  response_1: z.string(),
  response_2: z.string(),
  preference_strength: strength,
  split: z.string().optional(),
})

const Helpsteer3Row = z.object({
  context: z.array(z.object({ role: z.enum(['user', 'assistant']), content: z.string() })).min(1),
  response1: z.string(),
  response2: z.string(),
  overall_preference: strength,
  individual_preference: z.array(z.object({ score: z.number() })).nullish(),
  domain: z.string().nullish(),
  language: z.string().nullish(),
})

export function fromHelpsteer2Preference(value: unknown): PreferenceRecord {
  const row = Helpsteer2Row.parse(value)
  const replies = [row.response_1, row.response_2] as const
  const pair = pairOf(splitHelpsteerPrompt(row.prompt), replies, row.preference_strength)
  return row.split === undefined ? pair : { ...pair, meta: { split: row.split } }
}

export function fromHelpsteer3(value: unknown): PreferenceRecord {
  const row = Helpsteer3Row.parse(value)
  const { domain, language, individual_preference: individual } = row
  return {
    ...pairOf(row.context, [row.response1, row.response2], row.overall_preference),
    meta: {
      ...(domain && { domain }),
      ...(language && { language }),
      ...(individual && { preferences: individual.map(({ score }) => score) }),
    },
  }
}

/** Replies stay in the order of the row. */
function pairOf(
  messages: Message[],
  [first, second]: readonly [string, string],
  preference: number,
): PreferenceRecord {
  return {
    messages,
    replies: [
      { content: first, rank: preference > 0 ? 1 : 0 },
      { content: second, rank: preference < 0 ? 1 : 0 },
    ],
    strength: Math.abs(preference),
  }
}
