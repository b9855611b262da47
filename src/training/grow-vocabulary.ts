/** New rows of the embedding (and of an untied head) for tokens added to a trained vocabulary. */

/** Token id → ids of the tokens that its text was made of before. */
export type TokenParts = ReadonlyMap<number, readonly number[]>

/**
 * A [vocabSize, width] matrix from one with fewer rows. A new token's row is the mean of its parts'
 * rows, so that it starts with their meaning; rows of no token are zero.
 */
export function growVocabulary(
  rows: Float32Array,
  vocabSize: number,
  width: number,
  parts: TokenParts,
): Float32Array {
  const grown = new Float32Array(vocabSize * width)
  grown.set(rows)
  for (const [id, ids] of parts) {
    for (let i = 0; i < width; i++) {
      let sum = 0
      for (const part of ids) sum += rows[part * width + i]!
      grown[id * width + i] = sum / ids.length
    }
  }
  return grown
}
