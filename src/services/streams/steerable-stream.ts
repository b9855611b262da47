/**
 * A reply that can be changed while it is written: steered, paused, taken back to a point, edited, cancelled; and that
 * outlives its client's connection. Every change is a new run of the generator that begins with the tokens so far, so
 * the cache of the conversation serves it again. Owns the order of events, their numbers, and the draws' seed.
 *
 * The i-th token of a reply draws the i-th random number of its seed, whatever happened before it. A steer that changes
 * nothing is not carried out at all, so it changes nothing, not even rounding.
 */
import { randomUUID } from 'node:crypto'
import { randomSeed } from '../../engine/random.ts'
import { fail } from '../../errors.ts'
import type { GenerationEvent, GenerationRequest, Generator } from '../generation-types.ts'
import type { ReplySoFar, TextUsage } from '../runtime-types.ts'
import { Segment } from './segment.ts'
import type { ContinuedBy, NumberedEvent, StreamEvent, StreamSink } from './stream-events.ts'

/** Events kept for a client that comes back; a reply fills the context long before. */
const maxLog = 16_384

export interface StreamOptions {
  generator: Pick<Generator, 'stream'>
  /** With one choice. */
  request: GenerationRequest
  /** Whether events are kept for a client that comes back. */
  resumable?: boolean
}

type Finish = GenerationEvent & { type: 'finish' }

export class SteerableStream {
  readonly #generator: Pick<Generator, 'stream'>
  readonly #resumable: boolean
  /** A new run takes the old one's slot. */
  readonly #session = randomUUID()
  #request: GenerationRequest
  #seed: number
  #segment: Segment | null = null
  /** The run that is to take over. */
  #coming: Segment | null = null
  #isPumping = false
  #state: 'waiting' | 'running' | 'over' = 'waiting'
  #isPaused = false
  readonly #begun = Promise.withResolvers<void>()
  /** Changes are made one after another, none before the start. */
  #changes: Promise<unknown> = this.#begun.promise
  /** Resolves when nothing keeps events back any more; null while nothing does. */
  #gate: PromiseWithResolvers<void> | null = null

  #tokens: number[] = []
  #text = ''
  #requested: Record<string, number> = {}
  #isStarted = false
  /** Answers that came before the start; nothing goes out before it but an end. */
  #early: StreamEvent[] = []
  /** Of the whole reply; the tokens of the run under way are not in it before it ends. */
  #usage: TextUsage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 }
  #runTokens = 0
  #finish: Finish | null = null

  #sink: StreamSink | null = null
  #log: NumberedEvent[] = []
  #seq = -1
  #onOver: (() => void) | null = null

  constructor({ generator, request, resumable = false }: StreamOptions) {
    this.#generator = generator
    this.#request = request
    this.#seed = request.options.seed ?? randomSeed()
    this.#resumable = resumable
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  get request(): GenerationRequest {
    return this.#request
  }

  /** Calls back at the next end; a reply that is over can be taken up again. */
  onOver(listener: () => void): void {
    this.#onOver = listener
  }

  /** Whether a client that saw the event `after` last can go on. Fails NOT_FOUND when it cannot. */
  check(after: number): void {
    const first = this.#log[0]?.seq ?? this.#seq
    if (after < this.#seq && after >= first - 1) return
    fail('NOT_FOUND', `after: there is no event ${after} to go on from`, { param: 'after' })
  }

  /** Sends what comes to `sink`, and first, with `after`, what came after that event. */
  attach(sink: StreamSink, after?: number): void {
    this.#sink = sink
    if (after !== undefined) for (const item of this.#log) if (item.seq > after) sink.send(item)
    this.#pump()
  }

  /** Whoever `sink` belongs to is gone. */
  detach(sink: StreamSink): boolean {
    if (this.#sink !== sink) return false
    this.#sink = null
    return true
  }

  /** Begins to write. */
  start(request: GenerationRequest = this.#request): void {
    if (this.#state !== 'waiting') return
    this.#state = 'running'
    this.#request = request
    this.#begun.resolve()
    this.#segment = this.#run(this.#request, undefined)
    this.#pump()
  }

  pause(): void {
    this.#mustRun()
    this.#isPaused = true
    if (this.#isStarted) this.#close()
    this.#emit({ type: 'paused' })
  }

  resume(): void {
    this.#mustRun()
    this.#isPaused = false
    this.#emit({ type: 'resumed' })
    this.#open()
  }

  /** Nothing when it is over already. */
  cancel(): void {
    this.#coming?.close()
    if (this.#state === 'over') return
    this.#segment?.close()
    this.#segment = null
    const requested = this.#requested
    this.#end({ type: 'done', finishReason: 'cancelled', usage: null, requested, achieved: null })
  }

  /** Goes on for other values; the text so far stays. Fails as the generator does, and then nothing changed. */
  steer(request: (now: GenerationRequest) => GenerationRequest): Promise<void> {
    return this.#change(async () => {
      this.#mustRun()
      const wanted = request(this.#request)
      if (isSame(wanted, this.#request)) return this.#emitContinued('steer')
      await this.#takeUp('steer', wanted, this.#soFar())
    })
  }

  /** Writes anew from the last token boundary within `at` characters, with another seed unless one is given. */
  regenerate(
    request: (now: GenerationRequest) => GenerationRequest,
    { at = 0, seed }: { at?: number; seed?: number },
  ): Promise<void> {
    return this.#change(async () => {
      const before = this.#seed
      this.#seed = seed ?? randomSeed()
      try {
        await this.#takeUp('regenerate', request(this.#request), { ...this.#soFar(), keep: at })
      } catch (error) {
        this.#seed = before
        throw error
      }
    })
  }

  /** Puts `text` in the place of the reply so far, and goes on from there. */
  edit(
    request: (now: GenerationRequest) => GenerationRequest,
    { text, seed }: { text: string; seed?: number },
  ): Promise<void> {
    return this.#change(async () => {
      const before = this.#seed
      this.#seed = seed ?? before
      try {
        await this.#takeUp('edit', request(this.#request), { text })
      } catch (error) {
        this.#seed = before
        throw error
      }
    })
  }

  #soFar(): ReplySoFar & { tokens: number[] } {
    return { tokens: [...this.#tokens], characters: this.#text.length }
  }

  #mustRun(): void {
    if (this.#state === 'over') fail('NOT_FOUND', 'the reply is not being written')
  }

  #change(work: () => Promise<void>): Promise<void> {
    const next = this.#changes.then(work)
    this.#changes = next.catch(() => {})
    return next
  }

  #run(request: GenerationRequest, reply: ReplySoFar | undefined): Segment {
    const own = { seed: this.#seed, session: this.#session }
    const options = { ...request.options, ...own, ...(reply && { reply }) }
    return new Segment((signal) => this.#generator.stream({ ...request, options }, signal))
  }

  /**
   * Lets a new run take over from the present one. Until its first event is there, nothing is sent, and the present run
   * goes on should the new one fail.
   */
  async #takeUp(by: ContinuedBy, request: GenerationRequest, reply: ReplySoFar): Promise<void> {
    const wasOver = this.#state === 'over'
    const mustGoOn = (): void => {
      if (this.#state === 'over' && !wasOver) fail('CANCELLED', 'meanwhile the reply was cancelled')
    }
    let coming: Segment | null = null
    this.#close()
    try {
      // The engine must know the old run before the one that takes its slot.
      if (!this.#isStarted) await this.#segment?.peek().catch(() => {})
      mustGoOn()
      coming = this.#run(request, reply)
      this.#coming = coming
      const first = await coming.peek()
      mustGoOn()
      coming.take()
      if (first.done || first.value.type !== 'start') fail('INTERNAL', 'internal: no start event')
      this.#segment?.close()
      this.#segment = coming
      this.#state = 'running'
      this.#request = request
      this.#begin(first.value, by)
    } catch (error) {
      coming?.close()
      throw error
    } finally {
      this.#coming = null
      this.#open()
    }
  }

  #begin(event: GenerationEvent & { type: 'start' }, by: ContinuedBy | null): void {
    this.#usage.completionTokens += this.#runTokens
    this.#runTokens = 0
    this.#finish = null
    this.#requested = event.requested ?? {}
    this.#tokens = event.reply?.tokens ?? []
    this.#text = event.reply?.text ?? ''
    if (!this.#isStarted) {
      this.#isStarted = true
      const { promptTokens, cachedTokens } = event
      this.#usage = { promptTokens, completionTokens: 0, cachedTokens }
      const { warnings } = event
      this.#emit({ type: 'started', requested: this.#requested, ...(warnings && { warnings }) })
      for (const early of this.#early.splice(0)) this.#emit(early)
      if (this.#isPaused) this.#close()
    }
    if (by) this.#emitContinued(by)
  }

  #emitContinued(by: ContinuedBy): void {
    this.#emit({ type: 'continued', by, at: this.#text.length, requested: this.#requested })
  }

  /** Keeps events back from now on. */
  #close(): void {
    this.#gate ??= Promise.withResolvers()
  }

  #open(): void {
    if (!this.#isPaused && !this.#coming) {
      this.#gate?.resolve()
      this.#gate = null
    }
    this.#pump()
  }

  /** Until the client may have, and can take, the next event. */
  async #clear(): Promise<void> {
    for (;;) {
      if (this.#gate) await this.#gate.promise
      const waiting = this.#sink?.ready()
      if (!waiting) {
        if (!this.#gate) return
      } else await waiting
    }
  }

  #pump(): void {
    if (this.#isPumping || !this.#segment) return
    this.#isPumping = true
    this.#drain()
      .catch((error: unknown) => {
        this.#segment?.close()
        this.#segment = null
        this.#end({ type: 'failed', error })
      })
      .finally(() => {
        this.#isPumping = false
        this.#pump() // a change may have come in between
      })
  }

  async #drain(): Promise<void> {
    for (;;) {
      await this.#clear()
      const segment = this.#segment
      if (!segment) return
      const result = await segment.peek().catch((error: unknown) => ({ error }))
      await this.#clear()
      if (segment !== this.#segment) continue
      if ('error' in result) {
        this.#segment = null
        return this.#end({ type: 'failed', error: result.error })
      }
      segment.take()
      if (result.done) this.#segment = null
      else this.#receive(result.value)
    }
  }

  #receive(event: GenerationEvent): void {
    if (event.type === 'start') this.#begin(event, null)
    else if (event.type === 'delta') {
      this.#tokens.push(...event.tokens)
      this.#runTokens += event.tokens.length
      this.#text += event.text
      if (event.text !== '') this.#emit({ type: 'delta', text: event.text })
    } else if (event.type === 'finish') {
      this.#finish = event
    } else if (event.type === 'usage') {
      this.#segment = null
      const { finishReason, usage, steering } = this.#finish!
      this.#runTokens = usage.completionTokens
      const completionTokens = this.#usage.completionTokens + usage.completionTokens
      this.#end({
        type: 'done',
        finishReason,
        usage: { ...this.#usage, completionTokens },
        requested: this.#requested,
        achieved: steering?.achieved ?? null,
        ...(steering && { steering }),
      })
    }
  }

  #end(event: StreamEvent & { type: 'done' | 'failed' }): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#begun.resolve()
    this.#isPaused = false
    this.#open()
    this.#emit(event)
    this.#onOver?.()
  }

  #emit(event: StreamEvent): void {
    const isEnd = event.type === 'done' || event.type === 'failed'
    if (!this.#isStarted && !isEnd) return void this.#early.push(event)
    if (event.type !== 'started') this.#seq = Math.max(0, this.#seq)
    const item = { seq: this.#seq, event }
    this.#seq += 1
    if (this.#resumable) {
      this.#log.push(item)
      if (this.#log.length > maxLog) this.#log.shift()
    }
    this.#sink?.send(item)
  }
}

/** Whether the two would write the same reply. */
function isSame(one: GenerationRequest, other: GenerationRequest): boolean {
  return JSON.stringify(written(one)) === JSON.stringify(written(other))
}

function written(request: GenerationRequest): unknown {
  const { prompts, options, measure, verify, guidance, avoid, preset } = request
  const sorted = Object.entries(options).toSorted()
  return { prompts, options: sorted, measure, verify, guidance, avoid, preset }
}
