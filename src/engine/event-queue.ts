/**
 * A queue between a producer and one reader: pushing never waits, reading does. A producer that looks at `size` can stop
 * for a reader that does not keep up; `onTake` says when it reads on.
 */

interface Waiting<T> {
  resolve(result: IteratorResult<T>): void
  reject(error: unknown): void
}

/** One producer, one consumer. Values pushed before `fail` are still delivered before the error. */
export class EventQueue<T> implements AsyncIterableIterator<T> {
  readonly #values: T[] = []
  #head = 0
  readonly #waiting: Waiting<T>[] = []
  #state: 'open' | 'ended' | 'failed' = 'open'
  #error: unknown = undefined
  readonly #onAbandon: () => void
  readonly #onTake: (left: number) => void

  /**
   * `onAbandon` is called when the reader leaves before the end (`break` in `for await`), `onTake` with what is left when
   * it takes a value that waited.
   */
  constructor(onAbandon: () => void, onTake: (left: number) => void = () => {}) {
    this.#onAbandon = onAbandon
    this.#onTake = onTake
  }

  /** Values that wait for the reader. */
  get size(): number {
    return this.#values.length - this.#head
  }

  push(value: T): void {
    if (this.#state !== 'open') return
    const waiting = this.#waiting.shift()
    if (waiting) waiting.resolve({ value, done: false })
    else this.#values.push(value)
  }

  end(): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    for (const waiting of this.#waiting.splice(0)) waiting.resolve({ value: undefined, done: true })
  }

  /** The reader gets `error` once, after what is queued. */
  fail(error: unknown): void {
    if (this.#state !== 'open') return
    const waiting = this.#waiting.shift()
    this.#state = waiting ? 'ended' : 'failed'
    this.#error = error
    waiting?.reject(error)
    for (const other of this.#waiting.splice(0)) other.resolve({ value: undefined, done: true })
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#head < this.#values.length) {
      const value = this.#take()
      if (this.#state === 'open') this.#onTake(this.size)
      return Promise.resolve({ value, done: false })
    }
    if (this.#state === 'failed') {
      this.#state = 'ended'
      return Promise.reject(this.#error)
    }
    if (this.#state === 'ended') return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<T>> {
    const wasOpen = this.#state === 'open'
    this.end()
    this.#values.length = 0
    this.#head = 0
    if (wasOpen) this.#onAbandon()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(): T {
    const value = this.#values[this.#head]!
    this.#head += 1
    if (this.#head === this.#values.length) {
      this.#values.length = 0
      this.#head = 0
    }
    return value
  }
}
