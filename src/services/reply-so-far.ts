/** Where a reply that is taken up again goes on from: which of its tokens stay, and what they say. */
import { fail } from '../errors.ts'
import { createTextStream } from '../text/text-stream.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { ReplySoFar } from './runtime-types.ts'

export interface TakenUp {
  tokens: number[]
  text: string
  /** Characters that were sent; unset: all that the tokens say. */
  characters?: number
}

type Decoder = Pick<Tokenizer, 'decode' | 'encode' | 'isSpecial'>

/** Fails BAD_REQUEST for a text that holds a stop string: nothing could follow it. */
export function takeUpReply(
  tokenizer: Decoder,
  reply: ReplySoFar,
  stops: readonly string[],
): TakenUp {
  if ('text' in reply) {
    const { text } = reply
    const stop = stops.find((one) => one !== '' && text.includes(one))
    if (stop !== undefined) {
      const detail = `text: holds the stop string ${JSON.stringify(stop)}, after which nothing can follow`
      fail('BAD_REQUEST', detail, { param: 'text' })
    }
    return { tokens: tokenizer.encode(text, { addSpecialTokens: false }), text }
  }
  const { tokens, characters, keep } = reply
  if (keep === undefined || keep >= characters) {
    const text = tokenizer.decode(tokens, { skipSpecialTokens: true }).slice(0, characters)
    return { tokens, text, characters }
  }
  const kept = tokens.slice(0, tokensWithin(tokenizer, tokens, keep))
  const text = tokenizer.decode(kept, { skipSpecialTokens: true })
  return { tokens: kept, text, characters: text.length }
}

/** How many leading tokens say at most `characters` characters, and no part of another one. */
function tokensWithin(tokenizer: Decoder, tokens: readonly number[], characters: number): number {
  const stream = createTextStream(tokenizer)
  let length = 0
  let count = 0
  for (const [index, token] of tokens.entries()) {
    length += stream.push(token).length
    if (length > characters) break
    count = index + 1
  }
  const isCut = (): boolean => tokenizer.decode(tokens.slice(0, count)).endsWith('\ufffd')
  while (count > 0 && isCut()) count -= 1
  return count
}
