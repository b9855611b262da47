/**
 * Continuous batching: one loop that alternates a bounded piece of prefill with one decode step of
 * all running streams. Owns the queue, the slots and the streams; the model step does the numbers.
 *
 * Per turn of the loop: drop what was cancelled, give free slots to waiting requests (first come,
 * first served), prefill at most `chunkTokens` prompt tokens, decode one token for every stream.
 * A long prompt therefore delays running streams by one chunk per token, never by its whole length.
 */

import { fail } from '../errors.ts'
import type { EngineEvent, EngineRequest } from './engine-types.ts'
import { Generation } from './generation.ts'
import { KvSlots } from './kv-slots.ts'
import type { DecodeInput, DecodeRun, ModelStep } from './model-step.ts'
import { planDecodeRuns } from './model-step.ts'
import { Sampler } from './sampler.ts'
import { validateRequest } from './validate-request.ts'

export interface SchedulerOptions {
  /** Most prompt tokens computed between two decode steps. */
  chunkTokens?: number
  /** Most requests that may wait for a slot. */
  queueLimit?: number
}

/** Bytes of logits that one prefill run with prompt log-probabilities may produce. */
const ECHO_LOGIT_BYTES = 16 << 20

export class Scheduler {
  readonly #step: ModelStep
  readonly #slots: KvSlots
  readonly #sampler: Sampler
  readonly #chunkTokens: number
  readonly #queueLimit: number
  #queue: Generation[] = []
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
    this.#slots = new KvSlots(step.slots, step.contextLength)
    this.#sampler = new Sampler(step.vocabSize)
    this.#chunkTokens = options.chunkTokens ?? 128
    this.#queueLimit = options.queueLimit ?? 256
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
    const waiting = this.#queue.length - this.#slots.freeCount
    if (waiting >= this.#queueLimit) {
      fail('QUEUE_FULL', `${waiting} requests wait for a slot, the limit is ${this.#queueLimit}`)
    }
    const { vocabSize } = this.#step
    const onCancel = (): void => this.#notify()
    const generation = new Generation(request, { vocabSize, signal, onCancel })
    this.#queue.push(generation)
    this.#notify()
    return generation.events
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
    for (const generation of [...this.#queue, ...this.#running()]) {
      generation.cancel('the engine is disposed')
    }
    this.#step.dispose()
  }

  async #turn(): Promise<void> {
    this.#dropCancelled()
    this.#admit()
    if (this.#isIdle()) return new Promise((resolve) => (this.#wake = resolve))
    await this.#prefill()
    await this.#decode()
  }

  #isIdle(): boolean {
    return this.#prefilling.length === 0 && this.#decoding.every((stream) => stream === null)
  }

  #dropCancelled(): void {
    this.#queue = this.#queue.filter((generation) => !generation.cancelled)
    for (const generation of this.#running()) {
      if (generation.cancelled) this.#leave(generation)
    }
  }

  #running(): Generation[] {
    return [...this.#prefilling, ...this.#decoding.filter((stream) => stream !== null)]
  }

  /** Gives free slots to waiting requests, first come, first served. */
  #admit(): void {
    while (this.#queue.length > 0) {
      const generation = this.#queue[0]!
      const { tokens, echo, cacheSpace: space } = generation.request
      // Prompt log-probabilities need the logits of every position, so nothing can be skipped.
      const placement = this.#slots.acquire(tokens, { reuse: !echo, space })
      if (!placement) return
      this.#queue.shift()
      const { slot, cachedTokens, copyFrom } = placement
      if (copyFrom !== undefined) this.#step.copyPrefix(copyFrom, slot, cachedTokens)
      generation.slot = slot
      generation.cachedTokens = cachedTokens
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
    const start = this.#slots.length(slot)
    const limit = request.echo ? Math.min(budget, this.#echoChunk()) : budget
    const tokens = request.tokens.slice(start, start + limit)
    const last = tokens.length - 1
    const logitPositions = request.echo ? tokens.map((_, i) => i) : [last]
    const logits = await this.#step.prefill({ slot, tokens, start, logitPositions, adapter: request.adapter }) // prettier-ignore
    this.#slots.append(slot, tokens)
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

  #echoChunk(): number {
    return Math.max(1, Math.floor(ECHO_LOGIT_BYTES / (4 * this.#step.vocabSize)))
  }

  /** One token for every decoding stream. */
  async #decode(): Promise<void> {
    const active = this.#decoding.flatMap((stream, slot) => (stream ? [slot] : []))
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

  /** Idle rows inside a run write a filler token at their own next position, which is free. */
  #decodeInput(run: DecodeRun): DecodeInput {
    const tokens: number[] = []
    const adapters: number[] = []
    const positions: number[] = []
    for (let slot = run.first; slot < run.first + run.count; slot += 1) {
      tokens.push(this.#decoding[slot]?.nextToken ?? 0)
      adapters.push(this.#decoding[slot]?.request.adapter ?? 0)
      positions.push(this.#slots.length(slot))
    }
    return { first: run.first, tokens, positions, adapters }
  }

  #takeDecoded(streams: readonly (Generation | null)[], logits: Float32Array): void {
    const { vocabSize } = this.#step
    streams.forEach((stream, row) => {
      if (!stream) return
      this.#slots.append(stream.slot, [stream.nextToken])
      this.#advance(stream, logits.subarray(row * vocabSize, (row + 1) * vocabSize))
    })
  }

  /** Samples one token; a stream that fails here (logits without a maximum) fails alone. */
  #advance(generation: Generation, logits: Float32Array): void {
    if (generation.cancelled) return this.#leave(generation)
    const isFull = this.#slots.length(generation.slot) === this.#step.contextLength
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
    this.#slots.release(generation.slot, options)
    generation.slot = -1
  }
}
