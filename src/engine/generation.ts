/** One request on its way through the scheduler: its rows, its sampler state, its events. */

import { SteerError } from '../errors.ts'
import { Blend } from './blend.ts'
import type { EngineEvent, EngineRequest, FinishReason, TokenLogprob } from './engine-types.ts'
import { EventQueue } from './event-queue.ts'
import { tokenLogprob } from './logprobs.ts'
import type { Account } from './waiting-queue.ts'
import { NgramDraft } from './ngram-draft.ts'
import type { Sampler } from './sampler.ts'
import { SamplerState } from './sampler.ts'

/** A stream with so many unread events waits for its reader. */
export const UNREAD_EVENTS = 16

/** What a sampled token means for its stream. */
export type Outcome = 'continue' | 'finished'

/**
 * One prompt of a generation, in a slot of its own. All rows of a generation get its sampled tokens; what is drawn comes
 * from the weighted sum of their logits (`blend.ts`).
 */
export interface Row {
  readonly generation: Generation
  /** Its place among the rows; 0 is the prompt that is reported on. */
  readonly index: number
  readonly tokens: readonly number[]
  /** −1 until a slot is taken. */
  slot: number
  cachedTokens: number
  /** True once what the cache knows of the prompt was counted for good. */
  isPlanned: boolean
}

export class Generation {
  readonly request: EngineRequest
  readonly events: EventQueue<EngineEvent>
  /** The prompt's, then those of its branches. */
  readonly rows: readonly Row[]
  /** What its tokens are charged to; null while it waits. */
  account: Account | null = null
  /** Sampled, not yet in the cache: what the next decode run feeds. */
  nextToken = 0
  /** Set from outside the loop; the loop drops the stream at its next step. */
  cancelled = false
  readonly #state: SamplerState
  readonly #stopTokens: ReadonlySet<number>
  readonly #promptLogprobs: TokenLogprob[] = []
  #promptBegunMs: number | undefined
  readonly #draft: NgramDraft | null
  readonly #blend: Blend | null
  /** Takes over the slots when this one leaves them. */
  heir: Generation | null = null
  readonly #emitted: number[] = []
  /** How many of the emitted tokens were fed again after the slots were lost; ∞ when there is nothing to feed again. */
  #replayed = Infinity
  #isStarted = false
  #detach: () => void = () => {}

  /** `onCancel` is called when the signal aborts or the reader leaves early. */
  constructor(
    request: EngineRequest,
    options: {
      vocabSize: number
      signal: AbortSignal | undefined
      onCancel: () => void
      /** The reader has read on after it had let `UNREAD_EVENTS` wait. */
      onRead: () => void
      /** Guess at tokens of a reply that has room for so many; unset: no guesses. */
      guessWithin?: number | undefined
    },
  ) {
    const { vocabSize, signal, onCancel, onRead } = options
    this.request = request
    this.rows = createRows(this)
    this.#blend = createBlend(request, vocabSize)
    this.events = new EventQueue(
      () => {
        this.cancelled = true
        this.#detach()
        onCancel()
      },
      (left) => {
        if (left === UNREAD_EVENTS - 1) onRead()
      },
    )
    const { guessWithin } = options
    const longest = Math.min(request.maxTokens, guessWithin ?? 0)
    this.#draft = guessWithin === undefined ? null : new NgramDraft(request.tokens, longest)
    this.#state = new SamplerState(request, request.tokens, vocabSize)
    this.#stopTokens = new Set(request.ignoreStop ? [] : request.stopTokens)
    this.#listen(signal, onCancel)
  }

  /** Takes a row's logits [V]; what to sample from once all rows have given theirs in this step, else null. */
  take(row: Row, logits: Float32Array): Float32Array | null {
    return this.#blend ? this.#blend.add(row.index, logits) : logits
  }

  /** True while the reader does not keep up. */
  get isHeld(): boolean {
    return this.events.size >= UNREAD_EVENTS
  }

  /** The slots are lost: what was emitted is to be fed again, step by step as before, so that nothing depends on it. */
  rewind(): void {
    this.#replayed = 0
    for (const row of this.rows) row.isPlanned = false
  }

  /** Ends the stream with an error for its reader. */
  fail(error: unknown): void {
    this.#detach()
    this.events.fail(error)
  }

  /** Ends the stream with CANCELLED for its reader. */
  cancel(reason: string): void {
    this.cancelled = true
    this.fail(new SteerError('CANCELLED', reason))
  }

  /**
   * Records what the logits [n, V] of prompt positions start … start + n − 1 say about the prompt
   * tokens that follow them.
   */
  echo(logits: Float32Array, start: number, vocabSize: number): void {
    const { tokens, logprobs } = this.request
    if (start === 0) this.#promptLogprobs.push({ token: tokens[0]!, logprob: null, top: [] })
    for (let row = 0; (row + 1) * vocabSize <= logits.length; row += 1) {
      const token = tokens[start + row + 1]
      if (token === undefined) return
      const rowLogits = logits.subarray(row * vocabSize, (row + 1) * vocabSize)
      this.#promptLogprobs.push(tokenLogprob(rowLogits, token, logprobs ?? 0))
    }
  }

  /** Tells how many of the prompt's tokens are in the cache. */
  progress(processedTokens: number): void {
    if (!this.request.progress || this.#isStarted) return
    this.#promptBegunMs ??= performance.now()
    this.events.push({
      type: 'progress',
      promptTokens: this.request.tokens.length,
      cachedTokens: this.rows[0]!.cachedTokens,
      processedTokens,
      elapsedMs: performance.now() - this.#promptBegunMs,
    })
  }

  /** Announces that the prompt is in the cache. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.events.push({
      type: 'start',
      promptTokens: this.request.tokens.length,
      cachedTokens: this.rows[0]!.cachedTokens,
      ...(this.request.echo ? { promptLogprobs: this.#promptLogprobs } : {}),
    })
  }

  /** Samples from `logits` [V] and emits. `isFull`: the cache has no position for another token. */
  advance(logits: Float32Array, sampler: Sampler, isFull: boolean): Outcome {
    if (this.#replayed < this.#emitted.length) {
      this.nextToken = this.#emitted[this.#replayed]!
      this.#replayed += 1
      if (this.#replayed === this.#emitted.length) this.#replayed = Infinity
      return 'continue'
    }
    if (this.request.maxTokens === 0) return this.#finish('length')
    const { mask } = this.request
    const token = sampler.sample(logits, this.#state, mask?.allowed())
    if (this.#stopTokens.has(token)) return this.#finish('stop', token)
    this.#emitted.push(token)
    const { logprobs } = this.request
    this.events.push(
      logprobs === undefined
        ? { type: 'token', token }
        : { type: 'token', token, logprob: tokenLogprob(logits, token, logprobs) },
    )
    mask?.accept(token)
    if (mask?.isOver) return this.#finish('stop')
    if (this.#emitted.length === this.request.maxTokens || isFull) return this.#finish('length')
    this.nextToken = token
    this.#draft?.push(token)
    return 'continue'
  }

  /** A guess at the tokens after `nextToken`, at most `room` of them; none where guesses do not pay. */
  propose(room: number): number[] {
    if (this.#replayed < this.#emitted.length) return []
    const left = this.request.maxTokens - this.#emitted.length - 1
    return this.#draft?.propose(Math.min(room, left)) ?? []
  }

  /** Tells how much of a guess was right. */
  judge(proposed: number, right: number): void {
    this.#draft?.judge(proposed, right)
  }

  #finish(reason: FinishReason, stopToken?: number): Outcome {
    this.events.push({
      type: 'done',
      reason,
      ...(stopToken === undefined ? {} : { stopToken }),
      promptTokens: this.request.tokens.length,
      completionTokens: this.#emitted.length,
      cachedTokens: this.rows[0]!.cachedTokens,
    })
    this.events.end()
    this.#detach()
    return 'finished'
  }

  #listen(signal: AbortSignal | undefined, onCancel: () => void): void {
    if (!signal) return
    const onAbort = (): void => {
      this.cancel('the caller aborted the request')
      onCancel()
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#detach = () => signal.removeEventListener('abort', onAbort)
  }
}

/** The request's prompt, then its branches. */
function createRows(generation: Generation): Row[] {
  const { tokens, branches = [] } = generation.request
  return [tokens, ...branches.map((branch) => branch.tokens)].map((prompt, index) => ({
    generation,
    index,
    tokens: prompt,
    slot: -1,
    cachedTokens: 0,
    isPlanned: false,
  }))
}

/** Null for a prompt alone, whose logits are the distribution. */
function createBlend(request: EngineRequest, vocabSize: number): Blend | null {
  const { branches = [], share = 1, weights = [1] } = request
  if (branches.length === 0) return null
  return new Blend([{ term: 0, share }, ...branches], weights, vocabSize)
}
