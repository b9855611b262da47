/**
 * Continuous batching: one loop that alternates a bounded piece of prefill with one decode step of
 * all running streams. Owns the streams; the queue says whose turn it is, the cache gives slots, the model step does
 * the numbers.
 *
 * Per turn of the loop: drop what was cancelled, give free slots to waiting requests, prefill at most `chunkTokens`
 * prompt tokens, decode one token for every stream. A long prompt therefore delays running streams by one chunk per
 * token, never by its whole length.
 */

import { fail } from '../errors.ts'
import type { EngineEvent, EngineRequest } from './engine-types.ts'
import { Generation } from './generation.ts'
import { KvCache, type PromptKey } from './kv-cache.ts'
import type { DecodeInput, DecodeRun, ModelStep } from './model-step.ts'
import { planDecodeRuns } from './model-step.ts'
import { Sampler } from './sampler.ts'
import { SlotTimes } from './slot-times.ts'
import { validateRequest } from './validate-request.ts'
import { WaitingQueue } from './waiting-queue.ts'

export interface SchedulerOptions {
  /** Most prompt tokens computed between two decode steps. */
  chunkTokens?: number
  /** Most requests that may wait for a slot. */
  queueLimit?: number
  /** Memory for the prompts that lost their slot; none unless given. */
  prefixBytes?: number
  /** Compute finished replies again while idle, so that the next turn finds them in the cache. */
  settle?: boolean
  /** Guess at tokens by prompt lookup while one stream runs alone, and check the guess in one run. */
  speculative?: boolean
  /** Waiting that makes a request one level more urgent. */
  ageingMs?: number
  now?: () => number
}

/** Bytes of logits that one prefill run with prompt log-probabilities may produce. */
const ECHO_LOGIT_BYTES = 16 << 20

export class Scheduler {
  readonly #step: ModelStep
  readonly #cache: KvCache
  readonly #sampler: Sampler
  readonly #chunkTokens: number
  readonly #queueLimit: number
  readonly #queue: WaitingQueue<Generation>
  readonly #slotTimes: SlotTimes
  readonly #settles: boolean
  readonly #speculates: boolean
  /** Streams whose prompt is not fully in the cache, oldest first. */
  #prefilling: Generation[] = []
  /** Decoding stream of each slot. */
  readonly #decoding: (Generation | null)[]
  #wake: (() => void) | null = null
  #disposed = false
  readonly #loopEnd: Promise<void>

  /** Takes ownership of `step`: disposed with the scheduler. */
  constructor(step: ModelStep, options: SchedulerOptions = {}) {
    this.#step = step
    this.#cache = new KvCache(step, options.prefixBytes ?? 0)
    this.#sampler = new Sampler(step.vocabSize)
    this.#chunkTokens = options.chunkTokens ?? 128
    this.#queueLimit = options.queueLimit ?? 256
    const { ageingMs, now } = options
    this.#queue = new WaitingQueue({ ageingMs, now })
    this.#slotTimes = new SlotTimes(step.slots, now)
    this.#settles = options.settle ?? false
    this.#speculates = options.speculative ?? false
    this.#decoding = Array.from({ length: step.slots }, () => null)
    this.#loopEnd = this.#loop()
  }

  /**
   * Checks and enqueues a request at once; its events can be read at any pace. Fails with
   * BAD_REQUEST, CONTEXT_TOO_LONG, QUEUE_FULL, or CANCELLED after dispose. A reader that leaves
   * early, or an abort, ends the work within one step.
   */
  submit(request: EngineRequest, signal?: AbortSignal): AsyncIterable<EngineEvent> {
    if (this.#disposed) fail('CANCELLED', 'the engine is disposed')
    validateRequest(request, this.#step)
    const waiting = this.#queue.size - this.#cache.freeSlots
    if (waiting >= this.#queueLimit) this.#refuse(waiting)
    const { vocabSize } = this.#step
    let waits: Generation | null = null
    const onCancel = (): void => {
      if (waits) this.#queue.remove(waits)
      this.#notify()
    }
    const room = this.#step.contextLength - request.tokens.length + 1
    const guessWithin = this.#speculates ? room : undefined
    const generation = new Generation(request, { vocabSize, signal, onCancel, guessWithin })
    if (generation.cancelled) return generation.events
    const { owner = 'anonymous', priority = 0 } = request
    waits = generation
    this.#queue.add(generation, { owner, priority })
    this.#notify()
    return generation.events
  }

  #refuse(waiting: number): never {
    const seconds = this.#slotTimes.secondsUntilStarted(waiting)
    const detail = `${waiting} requests wait for a slot, the limit is ${this.#queueLimit}`
    return fail('QUEUE_FULL', `${detail}; try again in ${seconds} s`, {
      retryAfterSeconds: seconds,
    })
  }

  /** Waits for the step in flight, cancels everything else, releases the model step. */
  async dispose(): Promise<void> {
    this.#disposed = true
    this.#notify()
    await this.#loopEnd
  }

  #notify(): void {
    this.#wake?.()
    this.#wake = null
  }

  async #loop(): Promise<void> {
    while (!this.#disposed) {
      try {
        await this.#turn()
      } catch (error) {
        for (const generation of this.#running()) this.#abandon(generation, error)
      }
    }
    for (const generation of [...this.#queue.items(), ...this.#running()]) {
      generation.cancel('the engine is disposed')
    }
    this.#step.dispose()
  }

  async #turn(): Promise<void> {
    this.#dropCancelled()
    this.#admit()
    if (this.#isIdle()) {
      if (this.#settles && this.#cache.hasUnsettled) return this.#cache.settle()
      return new Promise((resolve) => (this.#wake = resolve))
    }
    await this.#prefill()
    await this.#decode()
  }

  #isIdle(): boolean {
    return this.#prefilling.length === 0 && this.#decoding.every((stream) => stream === null)
  }

  #dropCancelled(): void {
    for (const generation of this.#running()) {
      if (generation.cancelled) this.#leave(generation)
    }
  }

  #running(): Generation[] {
    return [...this.#prefilling, ...this.#decoding.filter((stream) => stream !== null)]
  }

  /** Gives free slots to waiting requests. */
  #admit(): void {
    for (;;) {
      const generation = this.#queue.peek()
      const placement = generation && this.#cache.admit(promptKey(generation))
      if (!placement) return
      generation.slot = placement.slot
      generation.account = this.#queue.take(generation)
      this.#slotTimes.begin(generation)
      this.#prefilling.push(generation)
    }
  }

  /**
   * Computes up to `chunkTokens` prompt tokens, of the oldest prompts first. A rest of less than
   * half a chunk is left: a run of few tokens costs nearly as much as one of many.
   */
  async #prefill(): Promise<void> {
    let budget = this.#chunkTokens
    while (budget * 2 >= this.#chunkTokens && this.#prefilling.length > 0 && !this.#disposed) {
      const generation = this.#prefilling[0]!
      if (generation.cancelled) {
        this.#leave(generation)
        continue
      }
      try {
        budget -= await this.#prefillChunk(generation, budget)
      } catch (error) {
        this.#abandon(generation, error)
      }
    }
  }

  /** Runs the next chunk of one prompt; returns the tokens computed. */
  async #prefillChunk(generation: Generation, budget: number): Promise<number> {
    const { slot, request } = generation
    if (!generation.isPlanned) this.#planPrompt(generation)
    const start = this.#cache.length(slot)
    const limit = request.echo ? Math.min(budget, this.#echoChunk()) : budget
    const tokens = request.tokens.slice(start, start + pieceLength(request.tokens.length - start, limit)) // prettier-ignore
    const last = tokens.length - 1
    const logitPositions = request.echo ? tokens.map((_, i) => i) : [last]
    const logits = await this.#step.prefill({ slot, tokens, start, logitPositions, adapter: request.adapter }) // prettier-ignore
    this.#cache.append(slot, tokens, { exact: true })
    generation.account?.charge(tokens.length)
    const { vocabSize } = this.#step
    if (request.echo) generation.echo(logits, start, vocabSize)
    if (start + tokens.length === request.tokens.length) {
      this.#prefilling.shift()
      this.#decoding[slot] = generation
      generation.start()
      this.#advance(generation, logits.subarray(logits.length - vocabSize))
    }
    return tokens.length
  }

  /** Prompts that were computed since the slot was taken may hold more of this one. */
  #planPrompt(generation: Generation): void {
    generation.cachedTokens = this.#cache.extend(generation.slot, promptKey(generation))
    generation.isPlanned = true
  }

  #echoChunk(): number {
    return Math.max(1, Math.floor(ECHO_LOGIT_BYTES / (4 * this.#step.vocabSize)))
  }

  /** One token for every decoding stream. */
  async #decode(): Promise<void> {
    const active = this.#decoding.flatMap((stream, slot) => (stream ? [slot] : []))
    if (active.length === 1 && this.#prefilling.length === 0) {
      const stream = this.#decoding[active[0]!]!
      const draft = stream.propose(this.#step.contextLength - this.#cache.length(stream.slot) - 1)
      if (draft.length > 0) return this.#verify(stream, draft)
    }
    for (const run of planDecodeRuns(active)) {
      if (this.#disposed) return
      const streams = this.#decoding.slice(run.first, run.first + run.count)
      try {
        const logits = await this.#step.decode(this.#decodeInput(run))
        this.#takeDecoded(streams, logits)
      } catch (error) {
        for (const stream of streams) if (stream) this.#abandon(stream, error)
      }
    }
  }

  /**
   * Runs the next token and a guess at those after it, and goes on as far as the guess is what is drawn. Each draw comes
   * from the model's own distribution, so a reply is what it is without guesses, but for the rounding of a run of
   * several tokens. What is wrong stays behind the slot's length, where the next run overwrites it.
   */
  async #verify(stream: Generation, draft: readonly number[]): Promise<void> {
    const { slot, request } = stream
    const { adapter } = request
    const tokens = [stream.nextToken, ...draft]
    const logitPositions = tokens.map((_, i) => i)
    const { vocabSize } = this.#step
    try {
      const start = this.#cache.length(slot)
      const logits = await this.#step.prefill({ slot, tokens, start, logitPositions, adapter })
      let right = 0
      for (const [i, token] of tokens.entries()) {
        this.#cache.append(slot, [token], { exact: false })
        stream.account?.charge(1)
        this.#advance(stream, logits.subarray(i * vocabSize, (i + 1) * vocabSize))
        if (stream.slot < 0 || stream.nextToken !== draft[i]) break
        right += 1
      }
      stream.judge(draft.length, right)
    } catch (error) {
      this.#abandon(stream, error)
    }
  }

  /** Idle rows inside a run write a filler token at their own next position, which is free. */
  #decodeInput(run: DecodeRun): DecodeInput {
    const tokens: number[] = []
    const adapters: number[] = []
    const positions: number[] = []
    for (let slot = run.first; slot < run.first + run.count; slot += 1) {
      tokens.push(this.#decoding[slot]?.nextToken ?? 0)
      adapters.push(this.#decoding[slot]?.request.adapter ?? 0)
      positions.push(this.#cache.length(slot))
    }
    return { first: run.first, tokens, positions, adapters }
  }

  #takeDecoded(streams: readonly (Generation | null)[], logits: Float32Array): void {
    const { vocabSize } = this.#step
    streams.forEach((stream, row) => {
      if (!stream) return
      this.#cache.append(stream.slot, [stream.nextToken], { exact: false })
      stream.account?.charge(1)
      this.#advance(stream, logits.subarray(row * vocabSize, (row + 1) * vocabSize))
    })
  }

  /** Samples one token; a stream that fails here (logits without a maximum) fails alone. */
  #advance(generation: Generation, logits: Float32Array): void {
    if (generation.cancelled) return this.#leave(generation)
    const isFull = this.#cache.length(generation.slot) === this.#step.contextLength
    try {
      if (generation.advance(logits, this.#sampler, isFull) === 'finished') this.#leave(generation)
    } catch (error) {
      this.#abandon(generation, error)
    }
  }

  /** Fails a stream; its slot's cache is no longer trusted. */
  #abandon(generation: Generation, error: unknown): void {
    generation.fail(error)
    this.#leave(generation, { discard: true })
  }

  #leave(generation: Generation, options: { discard?: boolean } = {}): void {
    if (generation.slot < 0) return
    this.#prefilling = this.#prefilling.filter((other) => other !== generation)
    if (this.#decoding[generation.slot] === generation) this.#decoding[generation.slot] = null
    this.#cache.release(generation.slot, options)
    generation.slot = -1
    generation.account?.close()
    this.#slotTimes.end(generation)
  }
}

/** Prompt log-probabilities need the logits of every position, so nothing can be skipped. */
function promptKey({ request }: Generation): PromptKey {
  return { tokens: request.tokens, space: request.cacheSpace ?? '', reuse: !request.echo }
}

/** The next piece of `left` prompt tokens: about `limit`, but neither it nor what is left a single token (`KvSlots`). */
function pieceLength(left: number, limit: number): number {
  const most = Math.max(2, limit)
  if (left <= most) return left
  if (left - most > 1) return most
  return most > 2 ? most - 1 : left
}
