/**
 * One reply: token events of the engine become text events. Owns detokenisation over the stream, stop
 * strings across tokens, and which tokens belong to the text that was shown.
 */
import type { EngineEvent, TokenLogprob } from '../engine/index.ts'
import { createStopMatcher } from '../text/stop-matcher.ts'
import { createTextStream } from '../text/text-stream.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { TextEvent, TextLogprob } from './runtime-types.ts'

export interface TextGenerationOptions {
  tokenizer: Pick<Tokenizer, 'decode' | 'isSpecial'>
  stops: readonly string[]
  /** The prompt's tokens when the text continues theirs; none for a chat reply. */
  context?: readonly number[]
  /** The beginning of the reply, of which so many characters are out already; all of them unless given. */
  reply?: { tokens: readonly number[]; characters?: number }
  /** The text event for the engine's first one. */
  start(event: StartOfEngine): StartOfText
}

type StartOfEngine = EngineEvent & { type: 'start' }
type StartOfText = TextEvent & { type: 'start' }
type Delta = TextEvent & { type: 'delta' }

interface Pending {
  token: number
  logprob?: TextLogprob
  /** Where the token's text begins, in characters of the reply. */
  at: number
}

/** The text events of a reply. Stops reading `events` as soon as a stop string is complete. */
export async function* generateText(
  events: AsyncIterable<EngineEvent>,
  options: TextGenerationOptions,
): AsyncGenerator<TextEvent> {
  const { tokenizer, stops, context, reply } = options
  const stream = createTextStream(tokenizer, { context })
  const matcher = createStopMatcher(stops)
  let pending: Pending[] = []
  let decoded = 0 // characters out of the detokeniser
  let shown = 0 // characters out of the stop matcher
  let usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 }

  let ahead = 0 // characters that are out although the stop matcher holds them

  /** The delta of `text`, with the waiting tokens that begin before its end. */
  const delta = (released: string, all: boolean): Delta | null => {
    shown += released.length
    const text = released.slice(ahead)
    ahead = Math.max(0, ahead - released.length)
    const count = all ? pending.length : pending.findLastIndex((item) => item.at < shown) + 1
    if (text === '' && !all) return null
    const taken = pending.slice(0, count)
    pending = pending.slice(count)
    if (text === '' && taken.length === 0) return null
    const logprobs = taken.flatMap((item) => (item.logprob ? [item.logprob] : []))
    return {
      type: 'delta',
      text,
      tokens: taken.map((item) => item.token),
      ...(logprobs.length > 0 && { logprobs }),
    }
  }

  const accept = (token: number, logprob?: TextLogprob): ReturnType<typeof matcher.push> => {
    pending.push({ token, logprob, at: decoded })
    const piece = stream.push(token)
    decoded += piece.length
    return matcher.push(piece)
  }

  /** Brings detokeniser and stop matcher to where they were; true when a stop is complete. */
  const takeUp = ({ tokens, characters }: NonNullable<typeof reply>): boolean => {
    let isStopped = false
    for (const token of tokens) {
      const { text, stopped } = accept(token)
      shown += text.length
      isStopped ||= stopped
    }
    pending = []
    ahead = Math.max(0, (characters ?? decoded) - shown)
    return isStopped
  }
  const isOver = reply ? takeUp(reply) : false

  for await (const event of events) {
    if (event.type === 'progress') {
      yield event
    } else if (event.type === 'start') {
      usage = { ...usage, promptTokens: event.promptTokens, cachedTokens: event.cachedTokens }
      yield options.start(event)
      if (!isOver) continue
      yield { type: 'done', finishReason: 'stop', usage }
      return
    } else if (event.type === 'token') {
      const isFirst = usage.completionTokens === 0 && !context?.length && !reply?.tokens.length
      usage.completionTokens += 1
      const logprob = event.logprob && describeLogprob(tokenizer, event.logprob, isFirst)
      const { text, stopped } = accept(event.token, logprob)
      const out = delta(text, false)
      if (out) yield out
      if (stopped) {
        yield { type: 'done', finishReason: 'stop', usage }
        return
      }
    } else {
      const last = matcher.push(stream.flush())
      const out = last.stopped ? delta(last.text, false) : delta(last.text + matcher.flush(), true)
      if (out) yield out
      yield { type: 'done', finishReason: last.stopped ? 'stop' : event.reason, usage }
    }
  }
}

/**
 * Adds the tokens' texts to log-probabilities. `isFirst`: the token begins a text, where decoders of the
 * sentencepiece kind drop the space that it begins with.
 */
export function describeLogprob(
  tokenizer: Pick<Tokenizer, 'decode'>,
  logprob: TokenLogprob,
  isFirst: boolean,
): TextLogprob {
  const textOf = (token: number): string => textOfToken(tokenizer, token, isFirst)
  return {
    token: logprob.token,
    text: textOf(logprob.token),
    logprob: logprob.logprob,
    top: logprob.top.map((item) => ({ ...item, text: textOf(item.token) })),
  }
}

/** The text of one token; see `describeLogprob`. */
export function textOfToken(
  tokenizer: Pick<Tokenizer, 'decode'>,
  token: number,
  isFirst: boolean,
): string {
  const alone = tokenizer.decode([token])
  // After itself a token shows all of its text.
  return isFirst ? alone : tokenizer.decode([token, token]).slice(alone.length)
}
