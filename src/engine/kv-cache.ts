/**
 * The cache of keys and values as the scheduler sees it: slots for what runs, the prefix tree for prompts that lost
 * their slot. Owns the copies between them: into a slot when a prompt begins, out of it when another takes the slot.
 */

import { KvSlots, type ReleaseOptions } from './kv-slots.ts'
import type { ModelStep } from './model-step.ts'
import { BLOCK_TOKENS, PrefixTree } from './prefix-tree.ts'

/**
 * Prompt tokens that are always computed: the last one, because its logits are needed, and one more, because a piece of
 * a single token rounds differently (`KvSlots`).
 */
const COMPUTED_TOKENS = 2

/** Tokens computed again at a time when nothing else runs: little, for a request that comes meanwhile waits for it. */
const SETTLE_TOKENS = 32

/** A slot given to a prompt, and how much of the prompt it holds. */
export interface Placement {
  slot: number
  cachedTokens: number
}

export interface PromptKey {
  tokens: readonly number[]
  /** Prompts of different spaces share nothing. */
  space: string
  /** False: nothing is taken from the cache. */
  reuse: boolean
}

export class KvCache {
  readonly #step: ModelStep
  readonly #slots: KvSlots
  readonly #tree: PrefixTree

  constructor(step: ModelStep, prefixBytes: number) {
    this.#step = step
    this.#slots = new KvSlots(step.slots, step.contextLength)
    const { floatsPerToken } = step
    this.#tree = new PrefixTree({ memoryBytes: prefixBytes, floatsPerToken })
  }

  get freeSlots(): number {
    return this.#slots.freeCount
  }

  /** Tokens in the cache of `slot`, which is also its next write position. */
  length(slot: number): number {
    return this.#slots.length(slot)
  }

  /** Takes a free slot and puts what is known of the prompt into it; null when all are busy. */
  admit(prompt: PromptKey): Placement | null {
    const shared = this.#slots.shared(prompt.space, prompt.tokens, reusableEnd(prompt))
    const slot = this.#slots.choose(shared)
    if (slot < 0) return null
    // What is saved must not push out what is about to be read.
    const release = this.#tree.hold(prompt.space, prompt.tokens, reusableEnd(prompt))
    try {
      this.#save(slot, shared[slot]!)
      this.#slots.take(slot, prompt.space, shared[slot]!)
      return { slot, cachedTokens: this.extend(slot, prompt) }
    } finally {
      release()
    }
  }

  /** Gives a slot that is in use to the next prompt of its stream. */
  reassign(slot: number, prompt: PromptKey): Placement {
    const shared = this.#slots.shared(prompt.space, prompt.tokens, reusableEnd(prompt))
    this.#slots.take(slot, prompt.space, shared[slot]!)
    return { slot, cachedTokens: this.extend(slot, prompt) }
  }

  /**
   * Looks again for a longer part of the prompt: other prompts were computed since the slot was taken. Returns how much
   * the slot holds then.
   */
  extend(slot: number, prompt: PromptKey): number {
    const { space, tokens } = prompt
    const own = this.#slots.length(slot)
    const end = reusableEnd(prompt)
    if (own >= end) return own
    const shared = this.#slots.shared(space, tokens, end)
    const inSlots = Math.max(...shared)
    const inTree = this.#tree.match(space, tokens, end)
    const cached = Math.max(inSlots, inTree)
    if (cached <= own) return own
    if (inSlots >= inTree) this.#step.copyPrefix(shared.indexOf(inSlots), slot, inSlots)
    else {
      this.#tree.read(space, tokens, inTree, (start, data) => {
        if (start + BLOCK_TOKENS > own) this.#step.writeCache(slot, start, data)
      })
    }
    this.#slots.adopt(slot, tokens, cached)
    return cached
  }

  /** Records that `tokens` were computed at the slot's next positions; `exact`: as part of a prompt. */
  append(slot: number, tokens: readonly number[], options: { exact: boolean }): void {
    this.#slots.append(slot, tokens, options)
  }

  /** Frees a slot. See `KvSlots.release`. */
  release(slot: number, options: ReleaseOptions = {}): void {
    this.#slots.release(slot, options)
  }

  /** Whether a free slot holds a reply that `settle` could compute again. */
  get hasUnsettled(): boolean {
    return this.#slots.unsettled() >= 0
  }

  /**
   * Computes a piece of a finished reply again as a prompt, so that the next turn of the conversation finds it in the
   * cache. Meant for times when nothing else is to be done.
   */
  async settle(): Promise<void> {
    const slot = this.#slots.unsettled()
    if (slot < 0) return
    const { exact } = this.#slots.exactPart(slot)
    // One more when a single token would be left over.
    const some = this.#slots.unsettledTokens(slot, SETTLE_TOKENS + 1)
    const left = this.#slots.length(slot) - exact
    const tokens = left === SETTLE_TOKENS + 1 ? some : some.slice(0, SETTLE_TOKENS)
    const logitPositions = [tokens.length - 1]
    try {
      await this.#step.prefill({ slot, tokens, start: exact, logitPositions })
      this.#slots.settle(slot, tokens.length)
    } catch {
      this.#slots.release(slot, { discard: true }) // nobody waits for it
    }
  }

  /**
   * Keeps in the tree what the slot is about to lose. Where a conversation goes on in its slot, its first `kept`
   * positions stay and the rest is mostly a label line of the past, not worth copying the whole of it before every turn.
   */
  #save(slot: number, kept: number): void {
    const { space, tokens, exact } = this.#slots.exactPart(slot)
    if (2 * kept >= exact) return
    this.#tree.store(space, tokens, exact, (start, data) => {
      this.#step.readCache(slot, start, data)
    })
  }
}

function reusableEnd({ tokens, reuse }: PromptKey): number {
  return reuse ? Math.max(0, tokens.length - COMPUTED_TOKENS) : 0
}
