/**
 * A small seeded random number generator: sfc32 (Chris Doty-Humphrey, PractRand), seeded through
 * splitmix32. Each request owns one, so a reply never depends on its neighbours in the batch.
 */

/** Draws uniformly from [0, 1) with 53 bits. */
export type Random = () => number

/** Spreads one 32-bit word over the generator's state. */
function splitmix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let word = state ^ (state >>> 16)
    word = Math.imul(word, 0x21f0aaad)
    word ^= word >>> 15
    word = Math.imul(word, 0x735a2d97)
    return (word ^ (word >>> 15)) | 0
  }
}

/** `seed`: any safe integer; all of its 53 bits count. */
export function createRandom(seed: number): Random {
  const low = splitmix32((seed % 4294967296) | 0)
  const high = splitmix32(Math.floor(seed / 4294967296) ^ 0x5bd1e995)
  let a = low()
  let b = high()
  let c = low() ^ high()
  let counter = 1
  const next = (): number => {
    const word = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + word) | 0
    return word >>> 0
  }
  for (let round = 0; round < 12; round += 1) next()
  return () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992
}

/** A seed for requests that bring none. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!
}
