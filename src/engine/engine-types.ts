/**
 * What goes into the engine and what comes out of it: token ids only, never text.
 * The scheduler fills these in; `createEngine` hands them to callers.
 */

/** A further prompt of a generation, continued by the same sampled tokens in the same steps. */
export interface Branch {
  tokens: readonly number[]
  /** Which term of the sum it is in, counted from 0, which is the prompt's own. */
  term: number
  /** Its part of the term's distribution; the shares of a term sum to 1. */
  share: number
}

/** What the tokens of one reply must be: asked before each draw, told after it. */
export interface TokenMask {
  /** One bit a token, lowest first, [⌈V/32⌉]; at least one is set. Stop tokens are tokens like others. */
  allowed(): Uint32Array
  /** A token was drawn that does not end the reply. */
  accept(token: number): void
  /** Nothing may follow: the reply ends without a stop token. */
  readonly isOver: boolean
}

/** One generation. Unset sampling fields are off. */
export interface EngineRequest {
  /** The prompt, at least one id, each in [0, vocabulary). */
  tokens: readonly number[]
  /**
   * With these, tokens are drawn from log p = Σ weight · log Σ share · p over terms and their prompts, normalised
   * (`blend.ts`), and log-probabilities of the reply are of that distribution. Prompt and branches take a slot each, all
   * at once or none.
   */
  branches?: readonly Branch[]
  /** With branches: the prompt's own share of the first term; 1 unless given. */
  share?: number
  /** With branches: the weight of each term; may be negative. */
  weights?: readonly number[]
  /** Most tokens to emit; 0 runs the prompt only. */
  maxTokens: number
  /** 0 = greedy. */
  temperature: number
  /** Keep the k likeliest tokens; 0 = off. */
  topK?: number
  /** Keep the likeliest tokens that together reach this mass, [0, 1]. */
  topP?: number
  /** Keep tokens at least this fraction as likely as the likeliest, [0, 1]. */
  minP?: number
  /** > 1 makes tokens of prompt and reply less likely (CTRL, arXiv 1909.05858). */
  repetitionPenalty?: number
  /** Subtracted once from the logit of every token of the reply. */
  presencePenalty?: number
  /** Subtracted from a token's logit for each time the reply holds it. */
  frequencyPenalty?: number
  /** Same request + same seed = same reply; unset = a fresh random seed. */
  seed?: number
  /**
   * So many tokens at the end of the prompt are the beginning of the reply: penalties count them, and the next token draws
   * the number that it would have drawn after them.
   */
  replyTokens?: number
  /** A sampled token of this list ends the reply and is not emitted. */
  stopTokens: readonly number[]
  /** Emit stop tokens like any other and go on. */
  ignoreStop?: boolean
  /** Report log-probabilities with this many alternatives; 0 = the token's own only. */
  logprobs?: number
  /** Report log-probabilities of the prompt's tokens in the `start` event. */
  echo?: boolean
  /** Report how far the prompt is. */
  progress?: boolean
  /** Number of a loaded adapter; 0 or absent: none. */
  adapter?: number
  /** Keys and values are shared only between requests of the same space: they depend on the adapter. */
  cacheSpace?: string
  /** Added to the logit of each token id named. */
  logitBias?: Readonly<Record<number, number>>
  /** Of this request alone; with branches, of what is drawn from their sum. */
  mask?: TokenMask
  /** Whose request it is: waiting requests are served fair across owners. */
  owner?: string
  /** A request takes the slots of an earlier one of the same session, which ends with CANCELLED. */
  session?: string
  /** Lower numbers first; 0 unless given. */
  priority?: number
}

/** Log-probabilities (natural log) of the model's own distribution, before temperature, bias and cuts. */
export interface TokenLogprob {
  token: number
  /** null for the first prompt token, which nothing predicts. */
  logprob: number | null
  /** The likeliest tokens, best first. */
  top: { token: number; logprob: number }[]
}

export interface PromptProgress {
  promptTokens: number
  cachedTokens: number
  processedTokens: number
  /** Since its computation began. */
  elapsedMs: number
}

export type FinishReason = 'stop' | 'length'

export type EngineEvent =
  /** Before `start`: so many of the prompt's tokens are in the cache, those that were there before included. */
  | ({ type: 'progress' } & PromptProgress)
  | {
      type: 'start'
      promptTokens: number
      cachedTokens: number
      promptLogprobs?: TokenLogprob[]
    }
  | { type: 'token'; token: number; logprob?: TokenLogprob }
  | {
      type: 'done'
      reason: FinishReason
      /** The stop token that was sampled, when the reason is `stop`. */
      stopToken?: number
      promptTokens: number
      /** `token` events sent; the stop token is not one of them. */
      completionTokens: number
      /** Prompt tokens whose keys and values were already in the cache. */
      cachedTokens: number
    }
