/**
 * A model step without a model: each cache position holds a token id, and the logits are a hash of
 * everything the cache holds up to the position asked for. Any mistake in what is written where
 * (chunks, slots, idle rows, copied prefixes) therefore changes the tokens that come out.
 *
 * As in the real kernels, a token that is computed alone leaves something else than one among several: its id plus a
 * half. So a reply also changes when positions of one kind take the place of the other.
 */

import type { DecodeInput, ModelStep, PrefillInput } from '../../src/engine/model-step.ts'

export const FAKE_VOCAB = 23

/** What a token computed alone leaves. */
export const alone = (token: number): number => token + 0.5

/** Never a token: what a cache holds before anything was written. */
const EMPTY = -1

/** Logits [FAKE_VOCAB] after `history`, spread over about ±4. */
export function fakeLogits(history: readonly number[]): Float32Array {
  let hash = 2166136261
  for (const token of history) hash = Math.imul(hash ^ (token * 2 + 2), 16777619) >>> 0
  const logits = new Float32Array(FAKE_VOCAB)
  for (let i = 0; i < FAKE_VOCAB; i += 1) {
    let word = Math.imul(hash ^ (i * 0x9e3779b1), 0x85ebca6b) >>> 0
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35) >>> 0
    logits[i] = ((word ^ (word >>> 16)) >>> 0) / 2 ** 29 - 4
  }
  return logits
}

export interface FakeStepOptions {
  slots: number
  contextLength: number
  /** Awaited in every step; throws to make a step fail. */
  beforeStep?: (kind: 'prefill' | 'decode') => Promise<void>
}

export class FakeModelStep implements ModelStep {
  readonly slots: number
  readonly contextLength: number
  readonly vocabSize = FAKE_VOCAB
  /** A position holds its token alone. */
  readonly floatsPerToken = 1
  readonly cache: number[][]
  readonly log: { kind: 'prefill' | 'decode'; first: number; tokens: number }[] = []
  disposed = false
  #inFlight = false
  readonly #beforeStep: (kind: 'prefill' | 'decode') => Promise<void>

  constructor(options: FakeStepOptions) {
    this.slots = options.slots
    this.contextLength = options.contextLength
    this.cache = Array.from({ length: options.slots }, () =>
      Array.from({ length: options.contextLength }, () => EMPTY),
    )
    this.#beforeStep = options.beforeStep ?? (() => Promise.resolve())
  }

  prefill({ slot, tokens, start, logitPositions }: PrefillInput): Promise<Float32Array> {
    return this.#run('prefill', slot, tokens.length, () => {
      const isAlone = tokens.length === 1 && start > 0
      tokens.forEach((token, i) => this.#write(slot, start + i, isAlone ? alone(token) : token))
      return logitPositions.map((position) => this.#logits(slot, start + position))
    })
  }

  decode({ first, tokens, positions }: DecodeInput): Promise<Float32Array> {
    return this.#run('decode', first, tokens.length, () => {
      tokens.forEach((token, row) => this.#write(first + row, positions[row]!, alone(token)))
      return positions.map((position, row) => this.#logits(first + row, position))
    })
  }

  copyPrefix(from: number, to: number, count: number): void {
    if (this.#inFlight) throw new Error('copyPrefix during a step')
    for (let i = 0; i < count; i += 1) this.#write(to, i, this.cache[from]![i]!)
  }

  readCache(slot: number, start: number, into: Float32Array): void {
    if (this.#inFlight) throw new Error('readCache during a step')
    into.set(this.cache[slot]!.slice(start, start + into.length))
  }

  writeCache(slot: number, start: number, from: Float32Array): void {
    if (this.#inFlight) throw new Error('writeCache during a step')
    from.forEach((token, i) => this.#write(slot, start + i, token))
  }

  dispose(): void {
    if (this.#inFlight || this.disposed) throw new Error('dispose during a step, or twice')
    this.disposed = true
  }

  async #run(
    kind: 'prefill' | 'decode',
    first: number,
    tokens: number,
    rows: () => Float32Array[],
  ): Promise<Float32Array> {
    if (this.#inFlight || this.disposed) throw new Error('two steps at once, or after dispose')
    this.#inFlight = true
    this.log.push({ kind, first, tokens })
    try {
      await this.#beforeStep(kind)
      const all = rows()
      const logits = new Float32Array(all.length * FAKE_VOCAB)
      all.forEach((row, i) => logits.set(row, i * FAKE_VOCAB))
      return logits
    } finally {
      this.#inFlight = false
    }
  }

  #write(slot: number, position: number, token: number): void {
    if (!(slot >= 0 && slot < this.slots && position >= 0 && position < this.contextLength)) {
      throw new Error(`write outside the cache: slot ${slot}, position ${position}`)
    }
    this.cache[slot]![position] = token
  }

  #logits(slot: number, position: number): Float32Array {
    return fakeLogits(this.cache[slot]!.slice(0, position + 1))
  }
}
