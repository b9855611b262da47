/**
 * Which tokens each slot's cache holds, who uses it, and which slot a new prompt gets.
 * Knows token ids only; the keys and values themselves lie in the model step's memory.
 */

import { fail } from '../errors.ts'

interface Slot {
  /** Token ids in the cache, [contextLength]; the first `length` count. */
  readonly tokens: Int32Array
  length: number
  space: string
  busy: boolean
  /** Tick of the last release; 0 = never used. */
  lastUsed: number
}

/** A slot given to a prompt, and what of the prompt it holds. */
export interface Placement {
  slot: number
  /** Prompt tokens that need not be computed. */
  cachedTokens: number
  /** Slot whose first `cachedTokens` positions must be copied to `slot` first. */
  copyFrom?: number
}

export class KvSlots {
  readonly #slots: Slot[]
  readonly #contextLength: number
  #tick = 0

  constructor(count: number, contextLength: number) {
    this.#contextLength = contextLength
    this.#slots = Array.from({ length: count }, () => ({
      tokens: new Int32Array(contextLength),
      length: 0,
      space: '',
      busy: false,
      lastUsed: 0,
    }))
  }

  get freeCount(): number {
    return this.#slots.reduce((count, slot) => count + (slot.busy ? 0 : 1), 0)
  }

  /** Tokens in the cache of `slot`, which is also its next write position. */
  length(slot: number): number {
    return this.#slots[slot]!.length
  }

  /**
   * Takes a free slot for `prompt`, or returns null when all are busy. At least one prompt token
   * is always left to compute, because its logits are needed; `reuse: false` leaves all of them.
   *
   * Only prompts of the same `space` share: keys and values depend on the weights, adapters included.
   *
   * The free slot with the longest common prefix wins when that keeps at least half of what it
   * holds (a conversation goes on). Otherwise the one that was free longest is taken, and the
   * prefix is copied from wherever it is longest, so that a shared system prompt neither costs
   * a computation nor another conversation's cache.
   */
  acquire(
    prompt: readonly number[],
    { reuse, space = '' }: { reuse: boolean; space?: string },
  ): Placement | null {
    const limit = reuse ? prompt.length - 1 : 0
    const shared = this.#slots.map((slot) =>
      slot.space === space ? commonPrefix(slot, prompt, limit) : 0,
    )
    const index = this.#choose(shared)
    if (index < 0) return null
    const donor = shared.indexOf(Math.max(...shared))
    const copies = shared[donor]! > shared[index]!
    const cachedTokens = copies ? shared[donor]! : shared[index]!
    const slot = this.#slots[index]!
    if (copies) slot.tokens.set(this.#slots[donor]!.tokens.subarray(0, cachedTokens))
    slot.length = cachedTokens
    slot.space = space
    slot.busy = true
    return copies ? { slot: index, cachedTokens, copyFrom: donor } : { slot: index, cachedTokens }
  }

  /** Records that `tokens` were computed at the slot's next positions. */
  append(slot: number, tokens: readonly number[]): void {
    const target = this.#slots[slot]!
    if (target.length + tokens.length > this.#contextLength) {
      fail('INTERNAL', `internal: slot ${slot} would hold ${target.length + tokens.length} tokens`)
    }
    target.tokens.set(tokens, target.length)
    target.length += tokens.length
  }

  /**
   * Frees a slot. Its cache stays for later prompts unless `discard` is set (a failed run left it
   * undefined). One position always stays free: that is where idle rows of a batch write.
   */
  release(slot: number, options: { discard?: boolean } = {}): void {
    const target = this.#slots[slot]!
    target.length = options.discard ? 0 : Math.min(target.length, this.#contextLength - 1)
    target.busy = false
    this.#tick += 1
    target.lastUsed = options.discard ? 0 : this.#tick
  }

  /** Index of the slot to take, −1 when none is free. `shared[i]`: common prefix with slot i. */
  #choose(shared: readonly number[]): number {
    let longest = -1
    let oldest = -1
    this.#slots.forEach((slot, i) => {
      if (slot.busy) return
      if (oldest < 0 || slot.lastUsed < this.#slots[oldest]!.lastUsed) oldest = i
      if (longest < 0 || shared[i]! > shared[longest]!) longest = i
    })
    if (longest < 0) return -1
    return shared[longest]! > 0 && shared[longest]! * 2 >= this.#slots[longest]!.length
      ? longest
      : oldest
  }
}

function commonPrefix(slot: Slot, prompt: readonly number[], limit: number): number {
  const end = Math.min(slot.length, limit)
  let length = 0
  while (length < end && slot.tokens[length] === prompt[length]) length += 1
  return length
}
