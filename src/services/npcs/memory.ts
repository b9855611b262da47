/**
 * What a line can see: persona and voice as the system message, the example exchanges, then the latest exchanges as
 * far as they fit. Each earlier line keeps the attributes it was written for, so that a prompt looks like a row of
 * training. Knows no tokenizer: the caller counts.
 */
import type { NpcDefinition, NpcExchange } from '../../../schemas/npcs.ts'
import type { Message } from '../../../schemas/records.ts'
import { fail } from '../../errors.ts'

/** Of the room, what is used again after something had to be forgotten; so the cache of the prompt holds for a while. */
const shareAfterForgetting = 0.75
const defaultReplyTokens = 256

export interface MemoryRequest {
  definition: NpcDefinition
  /** What an example line shows that does not say. */
  baselines: Record<string, number>
  /** Oldest first. */
  exchanges: readonly NpcExchange[]
  rememberedFrom: number
  message: string
  /** The model's, in tokens. */
  contextLength: number
  /** Tokens of a prompt with these messages. */
  count(messages: Message[]): Promise<number>
}

export interface Recollection {
  messages: Message[]
  /** The number of the first exchange in them, or of the one to come. */
  rememberedFrom: number
}

/** Tokens that the line may have. */
export function replyTokens(definition: NpcDefinition, contextLength: number): number {
  const wanted = definition.memory?.reply_tokens ?? defaultReplyTokens
  const quarter = Math.max(1, Math.floor(contextLength / 4))
  return definition.memory?.reply_tokens == null ? Math.min(wanted, quarter) : wanted
}

/**
 * The prompt of the next line. Exchanges are forgotten whole, the oldest first and for ever: those beyond
 * `memory.exchanges`, and when the prompt leaves too little for the line, as many as bring it down to three quarters
 * of its room. Fails CONTEXT_TOO_LONG when persona, examples and message alone do not fit.
 */
export async function recollect(request: MemoryRequest): Promise<Recollection> {
  const { definition, exchanges, contextLength } = request
  const limit = definition.memory?.exchanges ?? Infinity
  const heard = exchanges.filter(
    (item) => item.exchange >= request.rememberedFrom && item.line !== '',
  )
  const recent = limit === 0 ? [] : heard.slice(-limit)
  const room = contextLength - replyTokens(definition, contextLength)
  const tokens = (dropped: number): Promise<number> =>
    request.count(promptMessages(request, recent.slice(dropped)))
  const result = (dropped: number): Recollection => ({
    messages: promptMessages(request, recent.slice(dropped)),
    rememberedFrom: recent[dropped]?.exchange ?? (exchanges.at(-1)?.exchange ?? -1) + 1,
  })
  if ((await tokens(0)) <= room) return result(0)
  const least = await tokens(recent.length)
  if (least > room) {
    const kept = contextLength - room
    const detail = `persona, examples and message have ${least} tokens; of the context of ${contextLength} the line needs ${kept}`
    fail('CONTEXT_TOO_LONG', detail, { param: 'message' })
  }
  return result(await fewestDropped(recent.length, tokens, room * shareAfterForgetting))
}

/** The smallest number from 1 to `all` whose prompt is within `target`, or `all`. More dropped is never longer. */
async function fewestDropped(
  all: number,
  tokens: (dropped: number) => Promise<number>,
  target: number,
): Promise<number> {
  let [low, high] = [1, all]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if ((await tokens(middle)) <= target) high = middle
    else low = middle + 1
  }
  return high
}

function promptMessages(request: MemoryRequest, exchanges: readonly NpcExchange[]): Message[] {
  const { definition, baselines, message } = request
  const system = [definition.persona, definition.voice ?? ''].filter(Boolean).join(' ')
  const examples = (definition.examples ?? []).flatMap(({ player, line, attributes }) =>
    pair(player, line, { ...baselines, ...attributes }),
  )
  return [
    ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
    ...examples,
    ...exchanges.flatMap((item) => pair(item.message, item.line, item.attributes)),
    { role: 'user', content: message },
  ]
}

function pair(player: string, line: string, attributes: Record<string, number>): Message[] {
  return [
    { role: 'user', content: player },
    { role: 'assistant', content: line, attributes },
  ]
}
