/**
 * The tokens that may be drawn, with their weights, in the order of their ids: gathered from logits, cut to the largest
 * and to the mass, drawn from. Arrays of the vocabulary's size are reused; nothing is allocated per token.
 *
 * A cut sorts nothing. Exponents fall into buckets; the cut goes through one of them, what lies before is kept whole,
 * what lies behind is dropped, and only the tokens of that bucket are compared with each other.
 */

import { expNonPositive, LEAST_EXPONENT } from './fast-exp.ts'
import { keepLargest, keepMass } from './selection.ts'

const BUCKETS = 256
/** Exponents of [−45, 0] onto buckets 0 … 255, the likeliest first. */
const PER_EXPONENT = (BUCKETS - 1) / LEAST_EXPONENT

/** Marks a weight that a cut takes out. */
const DROPPED = -1

export interface GatherOptions {
  /** The largest logit. */
  max: number
  /** 1 / temperature. */
  scale: number
  /** Exponents below it are left out. */
  least: number
  /** Keep at least so many of the largest; 0 = all. */
  count: number
}

export class Candidates {
  readonly #ids: Int32Array
  readonly #weights: Float64Array
  readonly #buckets: Uint8Array
  readonly #order: Int32Array
  readonly #counts = new Int32Array(BUCKETS)
  readonly #masses = new Float64Array(BUCKETS)
  #length = 0
  /** Sum of the weights. */
  #total = 0

  constructor(vocabSize: number) {
    this.#ids = new Int32Array(vocabSize)
    this.#weights = new Float64Array(vocabSize)
    this.#buckets = new Uint8Array(vocabSize)
    this.#order = new Int32Array(vocabSize)
  }

  /**
   * weight = exp((logit − max) · scale): 1 for the likeliest. Below exp(−45) ≈ 3e-20 of it a token cannot be hit by a
   * 53-bit draw and is left out.
   */
  gather(logits: Float32Array, options: GatherOptions): void {
    const { max, scale } = options
    const least = Math.max(LEAST_EXPONENT, options.least, this.#leastOfLargest(logits, options))
    const ids = this.#ids
    const weights = this.#weights
    const buckets = this.#buckets
    const masses = this.#masses.fill(0)
    let length = 0
    for (let i = 0; i < logits.length; i += 1) {
      // The likeliest first: 0 × ∞ is not a number when the temperature is denormal.
      const exponent = logits[i] === max ? 0 : (logits[i]! - max) * scale
      if (!(exponent >= least)) continue
      ids[length] = i
      const weight = expNonPositive(exponent)
      const bucket = (exponent * PER_EXPONENT) | 0
      weights[length] = weight
      buckets[length] = bucket
      masses[bucket]! += weight
      length += 1
    }
    this.#length = length
    this.#sum()
  }

  /** Keeps the `count` largest, the lower id among equals. */
  keepLargest(count: number): void {
    if (count >= this.#length) return
    const counts = this.#counts.fill(0)
    for (let j = 0; j < this.#length; j += 1) counts[this.#buckets[j]!]! += 1
    let kept = 0
    let bucket = 0
    while (kept + counts[bucket]! < count) kept += counts[bucket++]!
    const inside = this.#collect(bucket)
    this.#cut(bucket, keepLargest(this.#weights, this.#order, inside, count - kept), inside)
  }

  /** Keeps the fewest of the largest that together reach this share of all, at least one. */
  keepMass(share: number): void {
    const masses = this.#masses
    const wanted = share * this.#total
    let before = 0
    let bucket = 0
    while (bucket < BUCKETS - 1 && before + masses[bucket]! < wanted) before += masses[bucket++]!
    const inside = this.#collect(bucket)
    if (inside === 0) return // rounding used up the whole sum
    this.#cut(bucket, keepMass(this.#weights, this.#order, inside, wanted - before), inside)
  }

  /** The token under `uniform` in [0, 1) among weights ≥ `minP`, in the order of token ids. */
  pick(minP: number, uniform: number): number {
    const weights = this.#weights
    let rest = uniform * (minP > 0 ? this.#massOf(minP) : this.#total)
    let last = -1
    for (let j = 0; j < this.#length; j += 1) {
      const weight = weights[j]!
      if (weight < minP) continue
      last = j
      rest -= weight
      if (rest < 0) break
    }
    return this.#ids[last]! // the last one when rounding used up the whole sum
  }

  #sum(): void {
    let total = 0
    for (let i = 0; i < BUCKETS; i += 1) total += this.#masses[i]!
    this.#total = total
  }

  /** Sum of the weights ≥ `minP`. */
  #massOf(minP: number): number {
    const weights = this.#weights
    let total = 0
    for (let j = 0; j < this.#length; j += 1) if (weights[j]! >= minP) total += weights[j]!
    return total
  }

  /** An exponent that the `count` largest do not fall below; −∞ when all are wanted. */
  #leastOfLargest(logits: Float32Array, { max, scale, count }: GatherOptions): number {
    if (count === 0 || count >= logits.length) return -Infinity
    const counts = this.#counts.fill(0)
    const factor = scale * PER_EXPONENT
    for (let i = 0; i < logits.length; i += 1) {
      const bucket = (logits[i]! - max) * factor
      if (bucket < BUCKETS) counts[bucket | 0]! += 1
    }
    let kept = 0
    let bucket = 0
    while (bucket < BUCKETS && kept < count) kept += counts[bucket++]!
    // One bucket more than needed: `gather` may round an exponent onto its neighbour.
    return (bucket + 1) / PER_EXPONENT
  }

  /** Puts the candidates of a bucket into `#order`; returns how many. */
  #collect(bucket: number): number {
    let length = 0
    for (let j = 0; j < this.#length; j += 1) {
      if (this.#buckets[j] === bucket) this.#order[length++] = j
    }
    return length
  }

  /** Keeps all before `bucket`, and of it `order[0, kept)` out of `order[0, inside)`. */
  #cut(bucket: number, kept: number, inside: number): void {
    const weights = this.#weights
    const buckets = this.#buckets
    const masses = this.#masses.fill(0)
    for (let i = kept; i < inside; i += 1) weights[this.#order[i]!] = DROPPED
    let length = 0
    for (let j = 0; j < this.#length; j += 1) {
      if (buckets[j]! > bucket || weights[j] === DROPPED) continue
      this.#ids[length] = this.#ids[j]!
      weights[length] = weights[j]!
      buckets[length] = buckets[j]!
      masses[buckets[j]!]! += weights[j]!
      length += 1
    }
    this.#length = length
    this.#sum()
  }
}
