/**
 * The distribution of a generation with several rows: log p = Σ w_r · log p_r + constant, as in classifier-free guidance
 * (Sanchez et al. 2023, arXiv 2306.17806: w = γ for the condition, 1 − γ without it) and in DExperts (Liu et al. 2021,
 * arXiv 2105.03023). Logits serve as well as log-probabilities: they differ by a constant of the row.
 *
 * Summed in the order of the rows, whatever the slots and runs they came from, so that the sum is always the same to the bit.
 */
export class Blend {
  readonly #weights: readonly number[]
  /** Logits of each row, [V]. A run's own array is valid only until the next run. */
  readonly #rows: Float32Array[]
  readonly #combined: Float32Array
  #missing: number

  constructor(weights: readonly number[], vocabSize: number) {
    this.#weights = weights
    this.#rows = weights.map(() => new Float32Array(vocabSize))
    this.#combined = new Float32Array(vocabSize)
    this.#missing = weights.length
  }

  /** Takes a row's logits [V], once a step; the combined ones when they are the last, else null. */
  add(row: number, logits: Float32Array): Float32Array | null {
    this.#rows[row]!.set(logits)
    this.#missing -= 1
    if (this.#missing > 0) return null
    this.#missing = this.#weights.length
    return this.#sum()
  }

  #sum(): Float32Array {
    const combined = this.#combined.fill(0)
    this.#rows.forEach((logits, row) => {
      const weight = this.#weights[row]!
      for (let i = 0; i < combined.length; i += 1) combined[i]! += weight * logits[i]!
    })
    return combined
  }
}
