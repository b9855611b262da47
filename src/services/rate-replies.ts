/**
 * How likely a model is to give each of some replies, whole: the sum of the log-probabilities of its tokens,
 * the end of the turn included. Every token is forced and its log-probability, which is the model's own, read; the prompt
 * is computed once and then found in the cache.
 */
import type { Engine, EngineRequest } from '../engine/index.ts'
import { fail } from '../errors.ts'

export interface RepliesToRate {
  /** The prompt up to the reply. */
  readonly prompt: readonly number[]
  /** The tokens of each reply, its end included. */
  readonly replies: readonly (readonly number[])[]
  /** Owner, priority, adapter. */
  readonly request: Partial<EngineRequest>
}

export interface RatedReplies {
  /** Natural logarithms, in the order of the replies. */
  readonly logprobs: number[]
  /** Prompt tokens that were known before. */
  readonly cachedTokens: number
}

type Generate = Pick<Engine, 'generate'>['generate']

/** More than any gap between two logits. */
const forcing = 1000

export async function rateReplies(
  generate: Generate,
  { prompt, replies, request }: RepliesToRate,
  signal?: AbortSignal,
): Promise<RatedReplies> {
  const known = new Map<string, Promise<Step>>()
  const step = (before: readonly number[], token: number): Promise<Step> => {
    const key = [...before, token].join()
    const found = known.get(key) ?? force(generate, [...prompt, ...before], token, request, signal)
    known.set(key, found)
    return found
  }
  const rate = async (tokens: readonly number[]): Promise<number> => {
    let sum = 0
    for (const [i, token] of tokens.entries())
      sum += (await step(tokens.slice(0, i), token)).logprob
    return sum
  }
  const [first, ...others] = replies
  // The first fills the cache for the rest.
  const { cachedTokens } = await step([], first![0]!)
  const logprobs = [await rate(first!)]
  for (const reply of others) logprobs.push(await rate(reply))
  return { logprobs, cachedTokens }
}

interface Step {
  readonly logprob: number
  readonly cachedTokens: number
}

/** The log-probability of one token after the others. */
async function force(
  generate: Generate,
  tokens: readonly number[],
  token: number,
  request: Partial<EngineRequest>,
  signal?: AbortSignal,
): Promise<Step> {
  const sampling = { maxTokens: 1, temperature: 0, logprobs: 0, stopTokens: [] }
  const forced = { ...request, ...sampling, tokens, logitBias: { [token]: forcing } }
  let cachedTokens = 0
  for await (const event of generate(forced, signal)) {
    if (event.type === 'start') cachedTokens = event.cachedTokens
    if (event.type !== 'token') continue
    const logprob = event.token === token ? event.logprob?.logprob : null
    if (logprob != null) return { logprob, cachedTokens }
  }
  return fail('INTERNAL', `internal: token ${token} could not be forced`)
}
