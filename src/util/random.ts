/**
 * Seeded random numbers: xoshiro128** 1.1 (Blackman and Vigna, 2018), seeded by SHA-256.
 * The state is four 32-bit words, so a checkpoint can hold it; `fork` gives independent streams by
 * name, so that adding a draw in one place does not shift the draws of another.
 */
import { createHash } from 'node:crypto'
import { fail } from '../errors.ts'

/** The four words of the generator. JSON keeps it exactly. */
export type RandomState = readonly [number, number, number, number]

export interface Random {
  /** Uniform in [0, 1) with 53 random bits. */
  next(): number
  /** Uniform integer in [0, n); `n` from 1 to 2^32. Unbiased. */
  int(n: number): number
  /** One element; throws on an empty list. */
  pick<T>(items: readonly T[]): T
  /** Fisher–Yates, in place; returns the same list. */
  shuffle<T>(items: T[]): T[]
  /** Standard normal by Box–Muller; always uses two draws, keeps no spare value. */
  normal(): number
  /** A generator that depends on this one's seed and the label only, not on the draws so far. */
  fork(label: string | number): Random
  state(): RandomState
  restore(state: RandomState): void
}

/** A generator for `seed`; equal seeds (`7` and `'7'` too) give equal sequences on every platform. */
export function createRandom(seed: number | string): Random {
  return fromSeed(String(seed))
}

function fromSeed(seed: string): Random {
  let [a, b, c, d] = expandSeed(seed)

  function word(): number {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return result
  }

  const random: Random = {
    next: () => ((word() >>> 5) * 0x4000000 + (word() >>> 6)) / 2 ** 53,
    int: (n) => uniformInteger(word, n),
    pick: (items) => {
      if (items.length === 0) fail('INTERNAL', 'internal: pick from an empty list')
      return items[random.int(items.length)]!
    },
    shuffle: (items) => {
      for (let i = items.length - 1; i > 0; i--) {
        const j = random.int(i + 1)
        const held = items[i]!
        items[i] = items[j]!
        items[j] = held
      }
      return items
    },
    normal: () => {
      const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
      return radius * Math.cos(2 * Math.PI * random.next())
    },
    fork: (label) => fromSeed(`${seed}\u0000${label}`),
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
    restore: (state) => {
      checkState(state)
      ;[a, b, c, d] = state
    },
  }
  return random
}

/** Rejects the words above the last multiple of `n`, so that every value is equally likely. */
function uniformInteger(word: () => number, n: number): number {
  if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
    fail('INTERNAL', `internal: random integer below ${n}: expected an integer from 1 to 2^32`)
  }
  const limit = 2 ** 32 - (2 ** 32 % n)
  for (;;) {
    const value = word()
    if (value < limit) return value % n
  }
}

function checkState(state: readonly number[]): void {
  const valid =
    state.length === 4 &&
    state.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32) &&
    state.some((word) => word !== 0)
  if (!valid) {
    fail('BAD_FILE', 'random state: expected four 32-bit words that are not all zero')
  }
}

/** 128 bits of SHA-256, so that thousands of forks do not collide; the first word is odd: never all zero. */
function expandSeed(seed: string): [number, number, number, number] {
  const digest = createHash('sha256').update(seed, 'utf8').digest()
  const at = (index: number): number => digest.readUInt32LE(index * 4)
  return [(at(0) | 1) >>> 0, at(1), at(2), at(3)]
}

function rotateLeft(x: number, k: number): number {
  return ((x << k) | (x >>> (32 - k))) >>> 0
}
