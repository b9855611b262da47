/**
 * NeMo-Aligner's regression rows (`process_to_regression_format.py`): a conversation as text up to the reply that is
 * rated, and a list of values with −100 for those that are missing. The constant system prompt is left out, since the
 * `nemo` template puts it back.
 */
import { z } from 'zod'
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { ConversationRecord, Message } from '../../../schemas/records.ts'
import { fail } from '../../errors.ts'
import { labelStart, missingLabel, systemPrompt, systemStart, turnStart } from '../nemo-format.ts'

const RegressionRow = z.object({ text: z.string(), label: z.array(z.number()).min(1).max(64) })

const turnMark = new RegExp(`(?:^|\\n)(${systemStart}System|${turnStart}(?:User|Assistant))\\n`)

export function fromRegressionRow(value: unknown, set: AttributeSet): ConversationRecord {
  const { text, label } = RegressionRow.parse(value)
  if (label.length !== set.length) {
    const names = set.map(({ name }) => name).join(', ')
    fail('BAD_RECORD', `label: expected ${set.length} values (${names}), found ${label.length}`)
  }
  const messages = parseTurns(text)
  const known = set.flatMap(({ name }, i) => {
    const given = label[i]!
    return given === missingLabel ? [] : [[name, given] as const]
  })
  if (known.length > 0) messages.at(-1)!.attributes = Object.fromEntries(known)
  return { messages }
}

function parseTurns(text: string): Message[] {
  const end = `\n${labelStart}`
  if (!text.endsWith(end)) fail('BAD_RECORD', `text: expected its end to be "\\n${labelStart}"`)
  const parts = text.slice(0, -end.length).split(turnMark)
  if (parts[0] !== '') fail('BAD_RECORD', `text: expected its beginning to be "${systemStart}"`)
  const messages: Message[] = []
  for (let i = 1; i < parts.length; i += 2) {
    const content = parts[i + 1]!
    if (parts[i]!.endsWith('System')) {
      if (content !== systemPrompt) messages.push({ role: 'system', content })
    } else {
      messages.push({ role: parts[i]!.endsWith('User') ? 'user' : 'assistant', content })
    }
  }
  if (messages.at(-1)?.role !== 'assistant') {
    fail('BAD_RECORD', 'text: expected the turn of an assistant last')
  }
  return messages
}
