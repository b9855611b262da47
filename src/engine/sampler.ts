/**
 * Draws the next token from logits. One sampler serves all streams of a model: its scratch arrays
 * are reused, so a token costs no allocation. What belongs to one request (random numbers, token
 * counts) is its `SamplerState`.
 *
 * Order: logit bias, repetition / presence / frequency penalties, temperature, top-k, top-p over
 * what top-k left, min-p, draw. The draw walks the kept tokens by id, not by rank: a rounding
 * difference that swaps two near-equal ranks then leaves the drawn token alone.
 */

import { fail } from '../errors.ts'
import type { EngineRequest } from './engine-types.ts'
import type { Random } from './random.ts'
import { createRandom, randomSeed } from './random.ts'
import { argmax, keepLargest, keepMass } from './selection.ts'

export type SamplingOptions = Pick<
  EngineRequest,
  | 'temperature'
  | 'topK'
  | 'topP'
  | 'minP'
  | 'repetitionPenalty'
  | 'presencePenalty'
  | 'frequencyPenalty'
  | 'logitBias'
  | 'seed'
>

/** Below exp(−45) ≈ 3e-20 of the likeliest, a token cannot be hit by a 53-bit draw. */
const NEGLIGIBLE_EXPONENT = -45

/** What sampling remembers about one request. */
export class SamplerState {
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly random: Random
  readonly #repetition: number
  readonly #presence: number
  readonly #frequency: number
  readonly #biasTokens: Int32Array
  readonly #biases: Float64Array
  /** Times each token stands in the reply, [V]; empty when no penalty is on. */
  readonly #counts: Int32Array
  /** 1 for each token listed in `#seen`, [V]. */
  readonly #isSeen: Uint8Array
  /** Distinct tokens of prompt and reply. */
  readonly #seen: number[] = []

  constructor(options: SamplingOptions, prompt: readonly number[], vocabSize: number) {
    this.temperature = options.temperature
    this.topK = options.topK ?? 0
    this.topP = options.topP ?? 1
    this.minP = options.minP ?? 0
    this.random = createRandom(options.seed ?? randomSeed())
    this.#repetition = options.repetitionPenalty ?? 1
    this.#presence = options.presencePenalty ?? 0
    this.#frequency = options.frequencyPenalty ?? 0
    const bias = Object.entries(options.logitBias ?? {})
    this.#biasTokens = Int32Array.from(bias, ([token]) => Number(token))
    this.#biases = Float64Array.from(bias, ([, value]) => value)
    this.#counts = new Int32Array(this.#penalises ? vocabSize : 0)
    this.#isSeen = new Uint8Array(this.#counts.length)
    if (this.#penalises) for (const token of prompt) this.#see(token)
  }

  get #penalises(): boolean {
    return this.#repetition !== 1 || this.#presence !== 0 || this.#frequency !== 0
  }

  /** True when `adjust` would change anything. */
  get adjusts(): boolean {
    return this.#penalises || this.#biasTokens.length > 0
  }

  /** Records a token of the reply. */
  accept(token: number): void {
    if (!this.#penalises) return
    this.#see(token)
    this.#counts[token]! += 1
  }

  /** Applies bias and penalties to `logits` [V] in place. */
  adjust(logits: Float32Array): void {
    for (let i = 0; i < this.#biasTokens.length; i += 1) {
      logits[this.#biasTokens[i]!]! += this.#biases[i]!
    }
    for (let i = 0; i < this.#seen.length; i += 1) {
      const token = this.#seen[i]!
      const logit = logits[token]!
      const count = this.#counts[token]!
      const repeated = logit > 0 ? logit / this.#repetition : logit * this.#repetition
      logits[token] = repeated - this.#frequency * count - (count > 0 ? this.#presence : 0)
    }
  }

  #see(token: number): void {
    if (this.#isSeen[token] === 1) return
    this.#isSeen[token] = 1
    this.#seen.push(token)
  }
}

/** Scratch space for one vocabulary size, and the drawing itself. Synchronous, so never shared. */
export class Sampler {
  readonly #adjusted: Float32Array
  readonly #weights: Float64Array
  readonly #order: Int32Array

  constructor(vocabSize: number) {
    this.#adjusted = new Float32Array(vocabSize)
    this.#weights = new Float64Array(vocabSize)
    this.#order = new Int32Array(vocabSize)
  }

  /** `logits` [V], left unchanged. Fails when they hold no finite maximum. */
  sample(logits: Float32Array, state: SamplerState): number {
    const source = state.adjusts ? this.#adjust(logits, state) : logits
    const best = argmax(source)
    if (best < 0 || source[best] === Infinity) {
      fail('RUNTIME_ERROR', `the logits of the next token have no finite maximum (index ${best})`)
    }
    const token = state.temperature === 0 ? best : this.#draw(source, source[best]!, state)
    state.accept(token)
    return token
  }

  #adjust(logits: Float32Array, state: SamplerState): Float32Array {
    this.#adjusted.set(logits)
    state.adjust(this.#adjusted)
    return this.#adjusted
  }

  #draw(logits: Float32Array, max: number, state: SamplerState): number {
    this.#weigh(logits, max, state.temperature)
    if (state.topK > 0 || state.topP < 1) this.#cut(state.topK, state.topP)
    return this.#pick(state.minP, state.random())
  }

  /** weight = exp((logit − max) / temperature): 1 for the likeliest. */
  #weigh(logits: Float32Array, max: number, temperature: number): void {
    const weights = this.#weights
    const scale = 1 / temperature
    for (let i = 0; i < weights.length; i += 1) {
      const exponent = (logits[i]! - max) * scale
      // The likeliest token first: (0 × ∞) is not a number when the temperature is denormal.
      weights[i] = logits[i] === max ? 1 : exponent > NEGLIGIBLE_EXPONENT ? Math.exp(exponent) : 0
    }
  }

  /** Sets the weights outside top-k and top-p to 0. */
  #cut(topK: number, topP: number): void {
    const weights = this.#weights
    const order = this.#order
    let length = 0
    for (let i = 0; i < weights.length; i += 1) if (weights[i]! > 0) order[length++] = i
    let kept = topK > 0 ? keepLargest(weights, order, length, topK) : length
    if (topP < 1) {
      let total = 0
      for (let i = 0; i < kept; i += 1) total += weights[order[i]!]!
      kept = keepMass(weights, order, kept, topP * total)
    }
    for (let i = kept; i < length; i += 1) weights[order[i]!] = 0
  }

  /** The token under `uniform` in [0, 1) among weights ≥ `minP`, in the order of token ids. */
  #pick(minP: number, uniform: number): number {
    const weights = this.#weights
    let total = 0
    for (let i = 0; i < weights.length; i += 1) if (weights[i]! >= minP) total += weights[i]!
    let rest = uniform * total
    let last = -1
    for (let i = 0; i < weights.length; i += 1) {
      const weight = weights[i]!
      if (weight < minP || weight === 0) continue
      last = i
      rest -= weight
      if (rest < 0) return i
    }
    return last // rounding used up the whole sum
  }
}
