/** A stretch of a reply: one run of the generator, read event by event, that can be left at any point. */
import type { GenerationEvent } from '../generation-types.ts'

export class Segment {
  readonly #abort: AbortController
  readonly #events: AsyncIterator<GenerationEvent>
  #next: Promise<IteratorResult<GenerationEvent>> | null = null

  constructor(start: (signal: AbortSignal) => AsyncIterable<GenerationEvent>) {
    this.#abort = new AbortController()
    this.#events = start(this.#abort.signal)[Symbol.asyncIterator]()
  }

  /** The event that comes next, the same one until `take`. */
  peek(): Promise<IteratorResult<GenerationEvent>> {
    this.#next ??= this.#events.next()
    return this.#next
  }

  take(): void {
    this.#next = null
  }

  /** Ends the work behind it; what was not taken is lost. */
  close(): void {
    this.#abort.abort()
    this.#next?.catch(() => {})
    this.#events.return?.().catch(() => {})
  }
}
