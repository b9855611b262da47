/** nvidia/HelpSteer and HelpSteer2: a prompt, a reply, five ratings (or the ratings of the single annotators). */
import { z } from 'zod'
import type { ConversationRecord, Message } from '../../../schemas/records.ts'

const level = z.int().min(0).max(4)
/** A rating, or the ratings of the single annotators (HelpSteer2's `disagreements`). */
const rating = z.union([level, z.array(level).min(1)])
const names = ['helpfulness', 'correctness', 'coherence', 'complexity', 'verbosity'] as const
const HelpsteerRow = z.object({
  prompt: z.string(),
  response: z.string(),
  helpfulness: rating,
  correctness: rating,
  coherence: rating,
  complexity: rating,
  verbosity: rating,
})

export function fromHelpsteerRow(value: unknown): ConversationRecord {
  const row = HelpsteerRow.parse(value)
  const attributes: Record<string, number> = {}
  const ratings: Record<string, number[]> = {}
  for (const name of names) {
    const given = row[name]
    if (typeof given === 'number') {
      attributes[name] = given
      continue
    }
    ratings[name] = given
    attributes[name] = given.reduce((sum, each) => sum + each, 0) / given.length
  }
  const reply: Message = { role: 'assistant', content: row.response, attributes }
  if (Object.keys(ratings).length > 0) reply.ratings = ratings
  return { messages: [...splitHelpsteerPrompt(row.prompt), reply] }
}

/**
 * HelpSteer2 keeps earlier turns inside `prompt`, between `<extra_id_1>Assistant\n` and `<extra_id_1>User\n`.
 * As messages they render to the same `nemo` text and can be used with any other template.
 */
export function splitHelpsteerPrompt(prompt: string): Message[] {
  const parts = prompt.split(/\n?<extra_id_1>(User|Assistant)\n/)
  const messages: Message[] = [{ role: 'user', content: parts[0]! }]
  for (let i = 1; i < parts.length; i += 2) {
    const role = parts[i] === 'User' ? 'user' : 'assistant'
    messages.push({ role, content: parts[i + 1]! })
  }
  return messages
}
