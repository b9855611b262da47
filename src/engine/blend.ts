/**
 * The distribution of a generation with several rows: log p = Σ_t w_t · log Σ_{r in t} s_r · p_r + constant. The outer
 * sum is that of classifier-free guidance (Sanchez et al. 2023, arXiv 2306.17806: w = γ for the condition, 1 − γ without
 * it) and of DExperts (Liu et al. 2021, arXiv 2105.03023); the inner one mixes rows of one term as probabilities.
 *
 * Summed in the order of the rows, whatever the slots and runs they came from, so that the sum is always the same to the bit.
 */
import type { Branch } from './engine-types.ts'
import { expNonPositive, LEAST_EXPONENT } from './fast-exp.ts'

/** What no row of a term gives a chance keeps a finite logarithm: another term may have a negative weight. */
const LEAST_PROBABILITY = 1e-30

export class Blend {
  readonly #weights: readonly number[]
  readonly #rows: readonly Pick<Branch, 'term' | 'share'>[]
  /** Logits of each row, [V]. A run's own array is valid only until the next run. */
  readonly #logits: Float32Array[]
  readonly #mixed: Float64Array
  readonly #combined: Float32Array
  #missing: number

  /** `weights`: of each term. */
  constructor(
    rows: readonly Pick<Branch, 'term' | 'share'>[],
    weights: readonly number[],
    vocabSize: number,
  ) {
    this.#rows = rows
    this.#weights = weights
    this.#logits = rows.map(() => new Float32Array(vocabSize))
    this.#mixed = new Float64Array(vocabSize)
    this.#combined = new Float32Array(vocabSize)
    this.#missing = rows.length
  }

  /** Takes a row's logits [V], once a step; the combined ones when they are the last, else null. */
  add(row: number, logits: Float32Array): Float32Array | null {
    this.#logits[row]!.set(logits)
    this.#missing -= 1
    if (this.#missing > 0) return null
    this.#missing = this.#rows.length
    return this.#sum()
  }

  #sum(): Float32Array {
    const combined = this.#combined.fill(0)
    this.#weights.forEach((weight, term) => {
      const rows = this.#rows.flatMap((row, i) => (row.term === term ? [i] : []))
      // A row alone need not be normalised: its logits differ from log-probabilities by a constant.
      const logs = rows.length === 1 ? this.#logits[rows[0]!]! : this.#mix(rows)
      for (let i = 0; i < combined.length; i += 1) combined[i]! += weight * logs[i]!
    })
    return combined
  }

  /** log Σ s_r · p_r, [V]. */
  #mix(rows: readonly number[]): Float64Array {
    const mixed = this.#mixed.fill(LEAST_PROBABILITY)
    for (const row of rows) {
      const logits = this.#logits[row]!
      const { max, sum } = normaliser(logits)
      const scale = this.#rows[row]!.share / sum
      for (let i = 0; i < mixed.length; i += 1) mixed[i]! += scale * exp(logits[i]! - max)
    }
    for (let i = 0; i < mixed.length; i += 1) mixed[i] = Math.log(mixed[i]!)
    return mixed
  }
}

const exp = (x: number): number => (x >= LEAST_EXPONENT ? expNonPositive(x) : 0)

/** The largest logit, and Σ exp(logit − largest). */
function normaliser(logits: Float32Array): { max: number; sum: number } {
  let max = -Infinity
  for (let i = 0; i < logits.length; i += 1) if (logits[i]! > max) max = logits[i]!
  let sum = 0
  for (let i = 0; i < logits.length; i += 1) sum += exp(logits[i]! - max)
  return { max, sum }
}
