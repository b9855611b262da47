/**
 * Rows of plain conversations: `{messages: […]}` as OpenAI's fine-tuning files have them, or `{prompt, response}`.
 * What cannot be learnt from text alone (tools, images, replies that must not count) is refused with its reason rather
 * than left out. Names of participants and members that we do not know are ignored. Our one addition: an assistant
 * message may carry `attributes`.
 */
import { z } from 'zod'
import { ConversationRecord, type Message } from '../../../schemas/records.ts'
import { fail } from '../../errors.ts'

const Part = z.object({ type: z.string(), text: z.string().nullish() })
const ChatMessage = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: z.union([z.string(), z.array(Part)]).nullish(),
  name: z.string().nullish(),
  /** OpenAI: 0 keeps a reply out of the loss. */
  weight: z.union([z.literal(0), z.literal(1)]).nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
  function_call: z.unknown().optional(),
  attributes: z.record(z.string(), z.unknown()).nullish(),
})
type ChatMessage = z.infer<typeof ChatMessage>

const Conversation = z.object({ messages: z.array(ChatMessage).min(1) })
const Pair = z.object({ prompt: z.string(), response: z.string() })

/** Fails BAD_RECORD or with a ZodError, naming the message at fault. */
export function fromChatRow(row: unknown): ConversationRecord {
  if (typeof row === 'object' && row !== null && 'prompt' in row && !('messages' in row)) {
    const { prompt, response } = Pair.parse(row)
    return {
      messages: [
        { role: 'user', content: prompt },
        { role: 'assistant', content: response },
      ],
    }
  }
  return ConversationRecord.parse({ messages: Conversation.parse(row).messages.map(fromMessage) })
}

/** Attributes are checked with the whole record. */
function fromMessage(message: ChatMessage, index: number): unknown {
  const where = `messages.${index}`
  const { role, weight, tool_calls: calls, function_call: call, attributes } = message
  if (role === 'tool' || role === 'function') {
    fail('BAD_RECORD', `${where}: ${role} messages are not supported, only text is`)
  }
  if ((calls && calls.length > 0) || (call !== undefined && call !== null)) {
    fail('BAD_RECORD', `${where}: calls of tools are not supported, only text is`)
  }
  if (weight === 0) {
    fail('BAD_RECORD', `${where}.weight: 0 is not supported, every reply counts`)
  }
  return {
    role: role === 'developer' ? 'system' : role,
    content: textOf(message.content, where),
    ...(attributes && { attributes }),
  } satisfies { role: Message['role']; content: string; attributes?: unknown }
}

function textOf(content: ChatMessage['content'], where: string): string {
  if (typeof content === 'string') return content
  if (!content) return fail('BAD_RECORD', `${where}.content: expected a text, found none`)
  return content
    .map(({ type, text }, index) => {
      if (type === 'text' && typeof text === 'string') return text
      return fail('BAD_RECORD', `${where}.content.${index}: expected a text part, found "${type}"`)
    })
    .join('')
}
