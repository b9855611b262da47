/**
 * Continuous batching: one loop that alternates a bounded piece of prefill with one decode step of
 * all running streams. Owns the streams; the queue says whose turn it is, the cache gives slots, the model step does
 * the numbers.
 *
 * A stream whose reader does not keep up is held: it takes no part in steps, and gives its slots up when others wait for
 * them. It then comes back through the queue and goes on as if nothing had happened.
 *
 * Per turn of the loop: drop what was cancelled, give free slots to waiting requests, prefill at most `chunkTokens`
 * prompt tokens, decode one token for every stream. A long prompt therefore delays running streams by one chunk per
 * token, never by its whole length.
 */

import { fail } from '../errors.ts'
import type { EngineEvent, EngineRequest } from './engine-types.ts'
import { Generation, type Row } from './generation.ts'
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
  /** Streams that hold slots, oldest first. */
  readonly #running = new Set<Generation>()
  /** Held streams that gave their slots up. */
  readonly #evicted = new Set<Generation>()
  /** Rows whose prompt is not fully in the cache, oldest first. */
  #prefilling: Row[] = []
  /** Decoding row of each slot; a stream decodes once all of its prompts are in the cache. */
  readonly #decoding: (Row | null)[]
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
    const earlier = this.#earlier(request.session)
    const waiting = this.#queue.size - this.#cache.freeSlots
    if (!earlier && waiting >= this.#queueLimit) this.#refuse(waiting)
    const { vocabSize } = this.#step
    let waits: Generation | null = null
    const onCancel = (): void => {
      if (waits) this.#queue.remove(waits)
      if (waits) this.#evicted.delete(waits)
      this.#notify()
    }
    const onRead = (): void => {
      if (waits && this.#evicted.delete(waits)) this.#enqueue(waits)
      this.#notify()
    }
    const room = this.#step.contextLength - request.tokens.length + 1
    const guessWithin = this.#speculates && !request.branches?.length ? room : undefined
    const generation = new Generation(request, { vocabSize, signal, onCancel, onRead, guessWithin }) // prettier-ignore
    if (generation.cancelled) return generation.events
    waits = generation
    if (earlier) earlier.heir = generation
    else this.#enqueue(generation)
    earlier?.cancel('another request of its session took its place')
    this.#notify()
    return generation.events
  }

  /** The stream of this session that has slots, to be replaced. One that has none is ended here. */
  #earlier(session: string | undefined): Generation | null {
    if (session === undefined) return null
    const isWanted = (one: Generation): boolean => one.request.session === session && !one.cancelled
    for (const one of [...this.#queue.items(), ...this.#evicted].filter(isWanted)) {
      this.#queue.remove(one)
      this.#evicted.delete(one)
      one.cancel('another request of its session took its place')
    }
    return [...this.#running].find(isWanted) ?? null
  }

  #enqueue(generation: Generation): void {
    const { owner = 'anonymous', priority = 0 } = generation.request
    this.#queue.add(generation, { owner, priority })
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
        for (const generation of this.#running) this.#abandon(generation, error)
      }
    }
    for (const generation of [...this.#queue.items(), ...this.#running, ...this.#evicted]) {
      generation.heir?.cancel('the engine is disposed')
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
    return this.#prefilling.length === 0 && [...this.#running].every(({ isHeld }) => isHeld)
  }

  #dropCancelled(): void {
    for (const generation of this.#running) {
      if (generation.cancelled) this.#leave(generation)
    }
  }

  /**
   * Gives free slots to waiting requests. Whose turn it is waits until there is one for each of its rows, and nobody
   * passes it meanwhile: so it gets them as soon as enough streams have ended.
   */
  #admit(): void {
    for (;;) {
      const generation = this.#queue.peek()
      if (!generation) return
      if (generation.rows.length > this.#cache.freeSlots) this.#evict(generation.rows.length)
      if (generation.rows.length > this.#cache.freeSlots) return
      for (const row of generation.rows) row.slot = this.#cache.admit(promptKey(row))!.slot
      generation.account = this.#queue.take(generation)
      this.#slotTimes.begin(generation)
      this.#running.add(generation)
      this.#prefilling.push(...generation.rows)
    }
  }

  /** Takes the slots of held streams, as long as that makes so many free. */
  #evict(wanted: number): void {
    const held = [...this.#running].filter(({ isHeld, cancelled }) => isHeld && !cancelled)
    const gained = held.reduce((sum, { rows }) => sum + rows.length, 0)
    if (this.#cache.freeSlots + gained < wanted) return
    for (const generation of held) {
      if (this.#cache.freeSlots >= wanted) return
      this.#leave(generation)
      generation.rewind()
      this.#evicted.add(generation)
    }
  }

  /**
   * Computes up to `chunkTokens` prompt tokens, of the oldest prompts first. A rest of less than
   * half a chunk is left: a run of few tokens costs nearly as much as one of many.
   */
  async #prefill(): Promise<void> {
    let budget = this.#chunkTokens
    while (budget * 2 >= this.#chunkTokens && this.#prefilling.length > 0 && !this.#disposed) {
      const row = this.#prefilling[0]!
      const { generation } = row
      if (generation.cancelled) {
        this.#leave(generation)
        continue
      }
      try {
        budget -= await this.#prefillChunk(row, budget)
      } catch (error) {
        this.#abandon(generation, error)
      }
    }
  }

  /** Runs the next chunk of one prompt; returns the tokens computed. */
  async #prefillChunk(row: Row, budget: number): Promise<number> {
    const { slot, generation } = row
    const { request } = generation
    if (!row.isPlanned) this.#planPrompt(row)
    const echo = echoes(row)
    const start = this.#cache.length(slot)
    if (row.index === 0) generation.progress(start)
    const limit = echo ? Math.min(budget, this.#echoChunk()) : budget
    const tokens = row.tokens.slice(start, start + pieceLength(row.tokens.length - start, limit))
    const last = tokens.length - 1
    const logitPositions = echo ? tokens.map((_, i) => i) : [last]
    const logits = await this.#step.prefill({ slot, tokens, start, logitPositions, adapter: request.adapter }) // prettier-ignore
    this.#cache.append(slot, tokens, { exact: true })
    generation.account?.charge(tokens.length)
    const { vocabSize } = this.#step
    if (echo) generation.echo(logits, start, vocabSize)
    if (start + tokens.length === row.tokens.length) {
      this.#prefilling.shift()
      if (row.index === 0) generation.progress(row.tokens.length)
      this.#takePrompt(row, logits.subarray(logits.length - vocabSize))
    }
    return tokens.length
  }

  /** A prompt is in the cache; its stream begins when it was the last of its rows. */
  #takePrompt(row: Row, logits: Float32Array): void {
    const { generation } = row
    const whole = generation.take(row, logits)
    if (!whole) return
    for (const each of generation.rows) this.#decoding[each.slot] = each
    generation.start()
    this.#advance(generation, whole)
  }

  /** Prompts that were computed since the slot was taken may hold more of this one. */
  #planPrompt(row: Row): void {
    row.cachedTokens = this.#cache.extend(row.slot, promptKey(row))
    row.isPlanned = true
  }

  #echoChunk(): number {
    return Math.max(1, Math.floor(ECHO_LOGIT_BYTES / (4 * this.#step.vocabSize)))
  }

  /** One token for every decoding stream. */
  async #decode(): Promise<void> {
    // Looked at once: a reader may read on between two runs, and the rows of a stream go on together.
    const held = new Set([...this.#running].filter(({ isHeld }) => isHeld))
    const decoding = this.#decoding.map((row) => (row && held.has(row.generation) ? null : row))
    const active = decoding.flatMap((row, slot) => (row ? [slot] : []))
    if (active.length === 1 && this.#prefilling.length === 0) {
      const row = this.#decoding[active[0]!]!
      const room = this.#step.contextLength - this.#cache.length(row.slot) - 1
      const draft = row.generation.propose(room)
      if (draft.length > 0) return this.#verify(row, draft)
    }
    for (const run of planDecodeRuns(active, this.#step.maxRows)) {
      if (this.#disposed) return
      const rows = decoding.slice(run.first, run.first + run.count)
      try {
        const logits = await this.#step.decode(this.#decodeInput(run))
        this.#takeDecoded(rows, logits)
      } catch (error) {
        for (const row of rows) if (row) this.#abandon(row.generation, error)
      }
    }
  }

  /**
   * Runs the next token and a guess at those after it, and goes on as far as the guess is what is drawn. Each draw comes
   * from the model's own distribution, so a reply is what it is without guesses, but for the rounding of a run of
   * several tokens. What is wrong stays behind the slot's length, where the next run overwrites it.
   */
  async #verify(row: Row, draft: readonly number[]): Promise<void> {
    const { slot, generation: stream } = row
    const { adapter } = stream.request
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
        if (row.slot < 0 || stream.nextToken !== draft[i]) break
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
      const stream = this.#decoding[slot]?.generation
      tokens.push(stream?.nextToken ?? 0)
      adapters.push(stream?.request.adapter ?? 0)
      positions.push(this.#cache.length(slot))
    }
    return { first: run.first, tokens, positions, adapters }
  }

  #takeDecoded(rows: readonly (Row | null)[], logits: Float32Array): void {
    const { vocabSize } = this.#step
    rows.forEach((row, i) => {
      if (!row) return
      const { generation } = row
      this.#cache.append(row.slot, [generation.nextToken], { exact: false })
      generation.account?.charge(1)
      const whole = generation.take(row, logits.subarray(i * vocabSize, (i + 1) * vocabSize))
      if (whole) this.#advance(generation, whole)
    })
  }

  /** Samples one token; a stream that fails here (logits without a maximum) fails alone. */
  #advance(generation: Generation, logits: Float32Array): void {
    if (generation.cancelled) return this.#leave(generation)
    const { contextLength } = this.#step
    const isFull = generation.rows.some(({ slot }) => this.#cache.length(slot) === contextLength)
    try {
      if (generation.advance(logits, this.#sampler, isFull) === 'finished') this.#leave(generation)
    } catch (error) {
      this.#abandon(generation, error)
    }
  }

  /** Fails a stream; the cache of its slots is no longer trusted. */
  #abandon(generation: Generation, error: unknown): void {
    generation.fail(error)
    this.#leave(generation, { discard: true })
  }

  #leave(generation: Generation, options: { discard?: boolean } = {}): void {
    if (!this.#running.delete(generation)) return
    this.#prefilling = this.#prefilling.filter((row) => row.generation !== generation)
    this.#slotTimes.end(generation)
    const { heir } = generation
    for (const row of generation.rows) {
      if (this.#decoding[row.slot] === row) this.#decoding[row.slot] = null
    }
    if (
      heir &&
      !heir.cancelled &&
      !options.discard &&
      heir.rows.length === generation.rows.length
    ) {
      return this.#bequeath(generation, heir)
    }
    for (const row of generation.rows) {
      // No next turn goes on from a branch: only its prompt may be of use.
      this.#cache.release(row.slot, { ...options, promptOnly: row.index > 0 })
      row.slot = -1
    }
    generation.account?.close()
    if (heir && !heir.cancelled) this.#enqueue(heir)
  }

  /** What the cache knows of the heir's prompts stays; the rest of the slots is computed anew, before other prompts. */
  #bequeath(generation: Generation, heir: Generation): void {
    generation.rows.forEach((row, i) => {
      const next = heir.rows[i]!
      next.slot = this.#cache.reassign(row.slot, promptKey(next)).slot
      row.slot = -1
    })
    heir.account = generation.account
    this.#slotTimes.begin(heir)
    this.#running.add(heir)
    this.#prefilling.unshift(...heir.rows)
  }
}

/** Whether the log-probabilities of the row's prompt are asked for. */
const echoes = ({ generation, index }: Row): boolean =>
  index === 0 && generation.request.echo === true

/** Prompt log-probabilities need the logits of every position, so nothing can be skipped. */
function promptKey(row: Row): PromptKey {
  const space = row.generation.request.cacheSpace ?? ''
  return { tokens: row.tokens, space, reuse: !echoes(row) }
}

/** The next piece of `left` prompt tokens: about `limit`, but neither it nor what is left a single token (`KvSlots`). */
function pieceLength(left: number, limit: number): number {
  const most = Math.max(2, limit)
  if (left <= most) return left
  if (left - most > 1) return most
  return most > 2 ? most - 1 : left
}
