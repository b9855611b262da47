/**
 * Draws the next token from logits. One sampler serves all streams of a model: its scratch arrays
 * are reused, so a token costs no allocation. What belongs to one request (random numbers, token
 * counts) is its `SamplerState`.
 *
 * Order: logit bias, repetition / presence / frequency penalties, mask, temperature, top-k, top-p over
 * what top-k left, min-p, draw. The draw walks the kept tokens by id, not by rank: a rounding
 * difference that swaps two near-equal ranks then leaves the drawn token alone.
 */

import { fail } from '../errors.ts'
import type { EngineRequest } from './engine-types.ts'
import type { Random } from './random.ts'
import { createRandom, randomSeed } from './random.ts'
import { Candidates } from './candidates.ts'
import { argmax } from './selection.ts'

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
  | 'replyTokens'
>

/** `pick` decides at the edge of min-p, not the logarithm. */
const ROUNDING = 1e-9

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
    const begun = prompt.length - (options.replyTokens ?? 0)
    if (this.#penalises) for (const token of prompt.slice(0, begun)) this.#see(token)
    for (const token of prompt.slice(begun)) {
      this.accept(token)
      this.random() // the i-th token of a reply draws the i-th number, whether the reply was taken up again or not
    }
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
  readonly #candidates: Candidates

  constructor(vocabSize: number) {
    this.#adjusted = new Float32Array(vocabSize)
    this.#candidates = new Candidates(vocabSize)
  }

  /** `logits` [V], left unchanged; `allowed`: a `TokenMask`'s. Fails when they hold no finite maximum. */
  sample(logits: Float32Array, state: SamplerState, allowed?: Uint32Array): number {
    const source = state.adjusts || allowed ? this.#adjust(logits, state, allowed) : logits
    const best = argmax(source)
    if (best < 0 || source[best] === Infinity) {
      fail('RUNTIME_ERROR', `the logits of the next token have no finite maximum (index ${best})`)
    }
    const token = state.temperature === 0 ? best : this.#draw(source, source[best]!, state)
    state.accept(token)
    return token
  }

  #adjust(logits: Float32Array, state: SamplerState, allowed?: Uint32Array): Float32Array {
    this.#adjusted.set(logits)
    state.adjust(this.#adjusted)
    if (allowed) applyMask(this.#adjusted, allowed)
    return this.#adjusted
  }

  #draw(logits: Float32Array, max: number, state: SamplerState): number {
    const { topK, topP, minP } = state
    const candidates = this.#candidates
    // Top-p counts the mass of all that top-k left, so there min-p cannot come first.
    const least = topP < 1 || minP === 0 ? -Infinity : Math.log(minP) - ROUNDING
    candidates.gather(logits, { max, scale: 1 / state.temperature, least, count: topK })
    if (topK > 0) candidates.keepLargest(topK)
    if (topP < 1) candidates.keepMass(topP)
    return candidates.pick(minP, state.random())
  }
}

/** −∞ for what is not allowed. */
function applyMask(logits: Float32Array, allowed: Uint32Array): void {
  for (let word = 0; word < allowed.length; word += 1) {
    const bits = allowed[word]!
    if (bits === 0xffffffff) continue
    const first = word * 32
    const end = Math.min(first + 32, logits.length)
    if (bits === 0) logits.fill(-Infinity, first, end)
    else
      for (let i = first; i < end; i += 1)
        if (((bits >>> (i & 31)) & 1) === 0) logits[i] = -Infinity
  }
}
