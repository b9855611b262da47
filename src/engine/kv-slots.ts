/**
 * Which tokens each slot's cache holds, who uses it, and which slot a new prompt gets.
 * Knows token ids only; the keys and values themselves lie in the model step's memory.
 *
 * The kernel that decodes one token rounds differently from the one that computes several, by about 1e-5 of a logit.
 * So that a reply never depends on what was cached, only positions that were computed as part of a prompt are reused:
 * the `exact` ones. They are bit for bit the same however the prompt was cut, as long as no piece is a single token.
 */

import { fail } from '../errors.ts'

interface Slot {
  /** Token ids in the cache, [contextLength]; the first `length` count. */
  readonly tokens: Int32Array
  length: number
  /** Leading positions that were computed as a prompt. */
  exact: number
  space: string
  busy: boolean
  /** Tick of the last release; 0 = never used. */
  lastUsed: number
}

export interface ReleaseOptions {
  /** A failed run left the cache undefined: nothing of it is kept. */
  discard?: boolean
  /** Keep what was computed as a prompt and nothing else. */
  promptOnly?: boolean
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
      exact: 0,
      space: '',
      busy: false,
      lastUsed: 0,
    }))
  }

  get count(): number {
    return this.#slots.length
  }

  get freeCount(): number {
    return this.#slots.reduce((count, slot) => count + (slot.busy ? 0 : 1), 0)
  }

  /** Tokens in the cache of `slot`, which is also its next write position. */
  length(slot: number): number {
    return this.#slots[slot]!.length
  }

  /** What of a slot may be reused. */
  exactPart(slot: number): { space: string; tokens: Int32Array; exact: number } {
    return this.#slots[slot]!
  }

  /**
   * How much of `prompt[0, end)` each slot holds in reusable form. Only prompts of the same `space` share: keys and
   * values depend on the weights, adapters included.
   */
  shared(space: string, prompt: readonly number[], end: number): number[] {
    return this.#slots.map((slot) => (slot.space === space ? commonPrefix(slot, prompt, end) : 0))
  }

  /**
   * The free slot for a prompt, −1 when all are busy; `shared` tells how much of it each slot holds. The one with the
   * longest common prefix wins when that keeps at least half of what it holds (a conversation goes on), else the one
   * that was free longest, so that a shared system prompt does not cost another conversation's cache.
   */
  choose(shared: readonly number[]): number {
    let longest = -1
    let oldest = -1
    this.#slots.forEach((slot, i) => {
      if (slot.busy) return
      if (oldest < 0 || slot.lastUsed < this.#slots[oldest]!.lastUsed) oldest = i
      if (longest < 0 || shared[i]! > shared[longest]!) longest = i
    })
    if (longest < 0) return -1
    return shared[longest]! > 0 && shared[longest]! * 2 >= this.#slots[longest]!.exact
      ? longest
      : oldest
  }

  /** Takes a slot, keeping its first `kept` positions. */
  take(slot: number, space: string, kept: number): void {
    const target = this.#slots[slot]!
    target.busy = true
    target.space = space
    target.length = kept
    target.exact = kept
  }

  /** Records that the slot now holds `prompt[0, length)`, copied from reusable positions. */
  adopt(slot: number, prompt: readonly number[], length: number): void {
    const target = this.#slots[slot]!
    for (let i = target.length; i < length; i += 1) target.tokens[i] = prompt[i]!
    target.length = length
    target.exact = length
  }

  /** Records that `tokens` were computed at the slot's next positions; `exact`: as part of a prompt. */
  append(slot: number, tokens: readonly number[], options: { exact: boolean }): void {
    const target = this.#slots[slot]!
    if (target.length + tokens.length > this.#contextLength) {
      fail('INTERNAL', `internal: slot ${slot} would hold ${target.length + tokens.length} tokens`)
    }
    target.tokens.set(tokens, target.length)
    if (options.exact && target.exact === target.length) target.exact += tokens.length
    target.length += tokens.length
  }

  /**
   * Frees a slot. Its cache stays for later prompts. One position always stays free: that is where idle rows of a batch
   * write.
   */
  release(slot: number, options: ReleaseOptions = {}): void {
    const target = this.#slots[slot]!
    const kept = options.promptOnly ? target.exact : target.length
    target.length = options.discard ? 0 : Math.min(kept, this.#contextLength - 1)
    target.exact = Math.min(target.exact, target.length)
    target.busy = false
    this.#tick += 1
    target.lastUsed = options.discard ? 0 : this.#tick
  }

  /**
   * The free slot, last used first, that holds at least two tokens in a form not to be reused; −1 when none does. Slots
   * of a named space are left alone: only their requests know the weights.
   */
  unsettled(): number {
    let found = -1
    this.#slots.forEach((slot, i) => {
      if (slot.busy || slot.space !== '' || slot.length - slot.exact < 2) return
      if (found < 0 || slot.lastUsed > this.#slots[found]!.lastUsed) found = i
    })
    return found
  }

  /** The first `count` tokens after the reusable ones. */
  unsettledTokens(slot: number, count: number): number[] {
    const { tokens, exact, length } = this.#slots[slot]!
    return Array.from(tokens.subarray(exact, Math.min(length, exact + count)))
  }

  /** Records that the next `count` tokens were computed again as a prompt. */
  settle(slot: number, count: number): void {
    this.#slots[slot]!.exact += count
  }
}

function commonPrefix(slot: Slot, prompt: readonly number[], end: number): number {
  const limit = Math.min(slot.exact, end)
  let length = 0
  while (length < limit && slot.tokens[length] === prompt[length]) length += 1
  return length
}
