/** How long requests hold their slot, and so how long those that wait will wait. */

/** Weight of the newest request in the average. */
const NEWEST_SHARE = 0.1

/** More than this no client is told to wait. */
const MAX_SECONDS = 300

export class SlotTimes {
  readonly #slots: number
  readonly #now: () => number
  readonly #begun = new Map<object, number>()
  /** Average of the requests that ended; 0 before the first. */
  #averageMs = 0

  constructor(slots: number, now: () => number = () => performance.now()) {
    this.#slots = slots
    this.#now = now
  }

  begin(request: object): void {
    this.#begun.set(request, this.#now())
  }

  end(request: object): void {
    const begunMs = this.#begun.get(request)
    if (begunMs === undefined) return
    this.#begun.delete(request)
    const heldMs = this.#now() - begunMs
    const share = this.#averageMs === 0 ? 1 : NEWEST_SHARE
    this.#averageMs += share * (heldMs - this.#averageMs)
  }

  /** Whole seconds, at least 1, after which so many waiting requests will have got their slots. */
  secondsUntilStarted(waiting: number): number {
    const seconds = ((waiting / this.#slots) * this.#expectedMs()) / 1000
    return Math.min(MAX_SECONDS, Math.max(1, Math.ceil(seconds)))
  }

  /** The average, but not less than what those that run have taken already. */
  #expectedMs(): number {
    const { size } = this.#begun
    if (size === 0) return this.#averageMs
    const nowMs = this.#now()
    let sum = 0
    for (const begunMs of this.#begun.values()) sum += nowMs - begunMs
    return Math.max(this.#averageMs, sum / size)
  }
}
