/** A generator that counts the tokens of each caller, for limits and usage, whichever route the request came by. */
import type { GenerationEvent, GenerationRequest, Generator } from './generation-types.ts'
import type { Caller } from './keys.ts'
import type { Limits } from './limits.ts'
import type { TextUsage } from './runtime-types.ts'
import type { Usage } from './usage.ts'

/** Takes the tokens that a reply cost. */
export type SpendTokens = (caller: Caller, tokens: Tokens) => void

type Tokens = Pick<TextUsage, 'promptTokens' | 'completionTokens'>

export function spendOn(limits: Limits, usage: Usage): SpendTokens {
  return (caller, { promptTokens, completionTokens }) => {
    limits.spendTokens(caller, promptTokens + completionTokens)
    usage.add(caller.id, { promptTokens, completionTokens })
  }
}

/** Requests without a caller pass uncounted. */
export function meterGenerator(generator: Generator, spend: SpendTokens): Generator {
  return {
    stream: (request, signal) =>
      request.caller
        ? countStream(generator.stream(request, signal), request, request.caller, spend)
        : generator.stream(request, signal),
    async complete(request, signal) {
      const result = await generator.complete(request, signal)
      if (request.caller) spend(request.caller, result.usage)
      return result
    },
  }
}

/** A reply that was cut off counts too, as far as it came. */
async function* countStream(
  events: AsyncIterable<GenerationEvent>,
  request: GenerationRequest,
  caller: Caller,
  spend: SpendTokens,
): AsyncGenerator<GenerationEvent> {
  let tokens: Tokens = { promptTokens: 0, completionTokens: 0 }
  // Of a reply that is taken up again, the prompt was counted before: only what is computed anew counts.
  const isTakenUp = request.options.reply !== undefined
  const promptTokens = (usage: Pick<TextUsage, 'promptTokens' | 'cachedTokens'>): number =>
    usage.promptTokens - (isTakenUp ? usage.cachedTokens : 0)
  try {
    for await (const event of events) {
      if (event.type === 'usage')
        tokens = { ...event.usage, promptTokens: promptTokens(event.usage) }
      else if (event.type === 'delta') tokens.completionTokens += event.tokens.length
      else if (event.type === 'start' && event.choice % request.n === 0) {
        tokens.promptTokens += promptTokens(event)
      }
      yield event
    }
  } finally {
    spend(caller, tokens)
  }
}
