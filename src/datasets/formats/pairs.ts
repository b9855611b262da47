/**
 * Pairs of a chosen and a rejected reply: TRL's preference rows and RewardBench's (`prompt`, `chosen`, `rejected`;
 * texts or messages, the prompt given or the beginning of both) and hh-rlhf's dialogues as text.
 */
import { z } from 'zod'
import type { Message, PreferenceRecord } from '../../../schemas/records.ts'
import { fail } from '../../errors.ts'

const TurnMessage = z.object({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string(),
})
const Text = z.union([z.string(), z.array(TurnMessage).min(1)])
const PairRow = z.object({
  prompt: Text.nullish(),
  chosen: Text,
  rejected: Text,
  margin: z.number().nullish(),
  score_chosen: z.number().nullish(),
  score_rejected: z.number().nullish(),
})

/** Members of a row that say where it is from; RewardBench reports by `subset`. */
const metaNames = ['subset', 'source', 'category'] as const

export function fromPairRow(value: unknown): PreferenceRecord {
  const row = PairRow.parse(value)
  const [chosen, rejected] = [turnsOf(row.chosen), turnsOf(row.rejected)]
  const given = row.prompt == null ? [] : turnsOf(row.prompt, 'user')
  const meta = Object.fromEntries(
    metaNames.flatMap((name) => {
      const text = (value as Record<string, unknown>)[name]
      return typeof text === 'string' ? [[name, text]] : []
    }),
  )
  const strength = row.margin ?? differenceOf(row.score_chosen, row.score_rejected)
  return {
    ...toPair(withPrompt(given, chosen), withPrompt(given, rejected)),
    ...(strength != null && strength >= 0 && { strength }),
    ...(Object.keys(meta).length > 0 && { meta }),
  }
}

const differenceOf = (chosen?: number | null, rejected?: number | null): number | null =>
  chosen == null || rejected == null ? null : chosen - rejected

function turnsOf(text: z.infer<typeof Text>, role: Message['role'] = 'assistant'): Message[] {
  return typeof text === 'string' ? [{ role, content: text }] : text
}

/** The prompt before the turns, unless they begin with it already (as in ultrafeedback_binarized). */
function withPrompt(prompt: Message[], turns: Message[]): Message[] {
  const last = prompt.at(-1)
  const repeats = turns.length > 1 && turns.some(({ content }) => content === last?.content)
  return repeats ? turns : [...prompt, ...turns]
}

/** Two dialogues that differ in their last reply. */
function toPair(chosen: Message[], rejected: Message[]): PreferenceRecord {
  const messages = chosen.slice(0, -1)
  const isSame =
    chosen.length === rejected.length &&
    messages.every(
      ({ role, content }, i) => role === rejected[i]!.role && content === rejected[i]!.content,
    )
  if (!isSame) fail('BAD_RECORD', 'chosen and rejected differ before their last turn')
  if (messages.length === 0) fail('BAD_RECORD', 'prompt: expected one, found none')
  const [good, bad] = [chosen.at(-1)!, rejected.at(-1)!]
  if (good.role !== 'assistant' || bad.role !== 'assistant') {
    fail('BAD_RECORD', 'expected the assistant to speak last in chosen and in rejected')
  }
  if (good.content === bad.content) fail('BAD_RECORD', 'chosen and rejected are the same text')
  return {
    messages,
    replies: [
      { content: good.content, rank: 0 },
      { content: bad.content, rank: 1 },
    ],
  }
}

const DialogueRow = z.object({ chosen: z.string(), rejected: z.string() })

/** Anthropic/hh-rlhf: dialogues of `\n\nHuman: …` and `\n\nAssistant: …`. */
export function fromHhRow(value: unknown): PreferenceRecord {
  const { chosen, rejected } = DialogueRow.parse(value)
  return toPair(dialogueTurns(chosen, 'chosen'), dialogueTurns(rejected, 'rejected'))
}

function dialogueTurns(text: string, name: string): Message[] {
  const parts = text.split(/\n\n(Human|Assistant): ?/)
  if (parts[0]!.trim() !== '' || parts.length < 3) {
    fail('BAD_RECORD', `${name}: expected a text that begins with "\\n\\nHuman: "`)
  }
  const turns: Message[] = []
  for (let i = 1; i < parts.length; i += 2) {
    const role = parts[i] === 'Human' ? 'user' : 'assistant'
    turns.push({ role, content: parts[i + 1]!.trim() })
  }
  if (turns.at(-1)!.content === '') fail('BAD_RECORD', `${name}: the last turn is empty`)
  return turns
}
