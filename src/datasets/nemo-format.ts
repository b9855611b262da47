/**
 * NeMo-Aligner's SteerLM texts and rows, byte for byte: the constants and the conversation text of
 * `examples/nlp/data/steerlm/common.py`, the AC-SFT record, and the regression record of
 * `process_to_regression_format.py` (commit af2b3bd9). Also reads AC-SFT rows into ours.
 */
import { z } from 'zod'
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { ConversationRecord, Message } from '../../schemas/records.ts'
import { fail } from '../errors.ts'
import { formatLabel, parseLabelPairs } from '../labels/label-codec.ts'

export const systemPrompt =
  'A chat between a curious user and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions."

export const systemStart = '<extra_id_0>'
export const turnStart = '<extra_id_1>'
export const labelStart = '<extra_id_2>'

/** `<extra_id_0>System\n…\n` */
export const systemTurn = (value: string): string => `${systemStart}System\n${value}\n`
/** `<extra_id_1>User\n…\n` */
export const userTurn = (value: string): string => `${turnStart}User\n${value}\n`
/** Where a reply begins (before its label line). */
export const assistantStart = `${turnStart}Assistant\n`
/** `<extra_id_2>quality:4,…\n`; '' for an empty label. */
export const labelLine = (label: string): string => (label === '' ? '' : `${labelStart}${label}\n`)
/** After a reply: the line feed and the next turn's start, which the model learns as the end. */
export const endOfTurn = `\n${turnStart}`

/** One line of an AC-SFT file. */
export const NemoRecord = z.object({
  system: z.string().nullish(),
  mask: z.string().nullish(),
  type: z.enum(['TEXT_TO_VALUE', 'VALUE_TO_TEXT']).nullish(),
  conversations: z
    .array(z.object({ from: z.string(), value: z.string(), label: z.string().nullish() }))
    .min(1),
})
export type NemoRecord = z.infer<typeof NemoRecord>

/**
 * An AC-SFT row as ours. The constant system prompt is left out, since the `nemo` template puts it back.
 * A label on a user turn, a label that is not `name:integer,…`, or an unknown role fails BAD_RECORD.
 */
export function fromNemoRecord(row: NemoRecord): ConversationRecord {
  const messages: Message[] = []
  if (row.system && row.system !== systemPrompt) {
    messages.push({ role: 'system', content: row.system })
  }
  for (const turn of row.conversations) messages.push(fromNemoTurn(turn))
  return { messages }
}

function fromNemoTurn(turn: NemoRecord['conversations'][number]): Message {
  const label = turn.label ?? ''
  if (turn.from === 'User') {
    if (label !== '') fail('BAD_RECORD', `a User turn carries the label "${label}"`)
    return { role: 'user', content: turn.value }
  }
  if (turn.from !== 'Assistant') {
    fail('BAD_RECORD', `conversations: expected from User or Assistant, found "${turn.from}"`)
  }
  const attributes = Object.fromEntries(parseLabelPairs(label))
  return {
    role: 'assistant',
    content: turn.value,
    ...(label === '' ? {} : { attributes }),
  }
}

/** Our record as an AC-SFT row, keys in NeMo's order; a turn without attributes has the label null. */
export function toNemoRecord(record: ConversationRecord, set: AttributeSet): NemoRecord {
  const [first, ...others] = record.messages
  const hasSystem = first?.role === 'system'
  const turns = hasSystem ? others : record.messages
  return {
    conversations: turns.map((message) => ({
      value: message.content,
      from: message.role === 'user' ? 'User' : 'Assistant',
      label: message.attributes ? formatLabel(set, message.attributes) : null,
    })),
    system: hasSystem ? first.content : systemPrompt,
    mask: 'User',
    type: 'VALUE_TO_TEXT',
  }
}

/** What a missing value is in a regression row. */
export const missingLabel = -100

/**
 * The regression rows of a conversation, one per rated turn: the text up to that reply with no labels shown
 * and always the constant system prompt, and a value per attribute of `set` (-100: missing).
 */
export function toRegressionRows(
  record: ConversationRecord,
  set: AttributeSet,
): { text: string; label: number[] }[] {
  const rows: { text: string; label: number[] }[] = []
  let text = systemTurn(systemPrompt)
  for (const message of record.messages) {
    if (message.role === 'system') continue
    text +=
      message.role === 'user' ? userTurn(message.content) : `${assistantStart}${message.content}\n`
    const values = message.attributes
    if (!values) continue
    rows.push({
      text: text + labelStart,
      label: set.map((spec) => values[spec.name] ?? missingLabel),
    })
  }
  return rows
}
