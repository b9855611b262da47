/** Automata over bytes: code points as UTF-8, plain or as they stand inside a JSON string. */
import type { CharDfa } from './char-dfa.ts'
import { codePointsOf, intersect, pairsOf, subtract, type CodePoints } from './code-points.ts'
import type { StateBudget } from './limits.ts'

/** State 0 is the start; every state can reach an end. Without states nothing is matched. */
export interface ByteDfa {
  /** Class of each byte, [256]. */
  readonly classOf: Uint16Array
  readonly classes: number
  /** [states × classes], −1 for none. */
  readonly next: Int32Array
  readonly accepts: Uint8Array
  /** Bytes at least to an end, by state. */
  readonly minBytes: Int32Array
}

export type Encoding = 'plain' | 'json-string'

/** Bytes of one code point: a tree whose leaves are null. */
interface ByteTree {
  readonly edges: readonly { from: number; to: number; next: ByteTree | null }[]
}

/** Takes its states from `budget`, which fails BAD_REQUEST when they are used up. */
export function toByteDfa(dfa: CharDfa, encoding: Encoding, budget: StateBudget): ByteDfa {
  const trees = dfa.classes.map((set) => buildTree(encode(set, encoding)))
  const maker = new ByteDfaMaker()
  const treeIds = new Map<ByteTree, number>()
  const idOf = (tree: ByteTree): number => {
    if (!treeIds.has(tree)) treeIds.set(tree, treeIds.size)
    return treeIds.get(tree)!
  }
  /** A byte state is a set of places in trees, each with the state of `dfa` that its end leads to. */
  const places: [ByteTree, number][][] = []
  const ids = new Map<string, number>()
  const stateOf = (set: [ByteTree, number][], accepts: boolean, key: string): number => {
    const known = ids.get(key)
    if (known !== undefined) return known
    budget.take(1)
    ids.set(key, places.push(set) - 1)
    return maker.add(accepts)
  }
  const charState = (state: number): number => {
    const set = trees.flatMap((tree, index): [ByteTree, number][] => {
      const to = dfa.next[state * trees.length + index]!
      return to < 0 ? [] : [[tree, to]]
    })
    return stateOf(set, dfa.accepts[state] === 1, `s${state}`)
  }
  const insideState = (set: [ByteTree, number][]): number =>
    stateOf(set, false, set.map(([tree, to]) => `${idOf(tree)}:${to}`).join())

  if (dfa.accepts.length > 0) charState(0)
  for (let state = 0; state < places.length; state += 1) {
    for (const { from, to, targets } of sweep(places[state]!)) {
      const [[tree, end]] = targets as [[ByteTree | null, number]]
      // The automaton is deterministic: where one code point ends, no other is under way.
      const next = tree === null ? charState(end) : insideState(targets as [ByteTree, number][])
      maker.connect(state, { from, to, next })
    }
  }
  return maker.finish()
}

/** One of these texts, as a tree of their bytes. */
export function literalsDfa(texts: readonly string[], budget: StateBudget): ByteDfa {
  const maker = new ByteDfaMaker()
  const children: Map<number, number>[] = []
  const add = (): number => {
    budget.take(1)
    children.push(new Map())
    return maker.add(false)
  }
  if (texts.length > 0) add()
  for (const text of texts) {
    let state = 0
    for (const byte of Buffer.from(text)) {
      const known = children[state]!.get(byte)
      const next = known ?? add()
      if (known === undefined) {
        children[state]!.set(byte, next)
        maker.connect(state, { from: byte, to: byte, next })
      }
      state = next
    }
    maker.accept(state)
  }
  return maker.finish()
}

/** The same without these bytes, and without what then leads nowhere. */
export function withoutBytes(dfa: ByteDfa, isAllowed: (byte: number) => boolean): ByteDfa {
  const maker = new ByteDfaMaker()
  dfa.accepts.forEach((accepts) => maker.add(accepts === 1))
  dfa.accepts.forEach((_, state) => {
    for (let byte = 0; byte < 256; byte += 1) {
      const next = nextState(dfa, state, byte)
      if (next >= 0 && isAllowed(byte)) maker.connect(state, { from: byte, to: byte, next })
    }
  })
  return maker.finish()
}

export function nextState(dfa: ByteDfa, state: number, byte: number): number {
  return dfa.next[state * dfa.classes + dfa.classOf[byte]!]!
}

class ByteDfaMaker {
  readonly #rows: Int32Array[] = []
  readonly #accepts: number[] = []

  add(accepts: boolean): number {
    this.#rows.push(new Int32Array(256).fill(-1))
    return this.#accepts.push(accepts ? 1 : 0) - 1
  }

  accept(state: number): void {
    this.#accepts[state] = 1
  }

  connect(state: number, { from, to, next }: { from: number; to: number; next: number }): void {
    this.#rows[state]!.fill(next, from, to + 1)
  }

  finish(): ByteDfa {
    const minBytes = this.#distances()
    for (const row of this.#rows) {
      row.forEach((to, byte) => {
        if (to >= 0 && minBytes[to]! < 0) row[byte] = -1
      })
    }
    const isEmpty = this.#rows.length === 0 || minBytes[0]! < 0
    const rows = isEmpty ? [] : this.#rows
    const { classOf, representatives } = byteClasses(rows)
    const classes = representatives.length
    const next = new Int32Array(rows.length * classes)
    rows.forEach((row, state) => {
      representatives.forEach((byte, index) => (next[state * classes + index] = row[byte]!))
    })
    const accepts = Uint8Array.from(isEmpty ? [] : this.#accepts)
    return { classOf, classes, next, accepts, minBytes }
  }

  /** Steps to the nearest end, −1 where there is none. */
  #distances(): Int32Array {
    const before: number[][] = this.#rows.map(() => [])
    this.#rows.forEach((row, state) => {
      row.forEach((to, byte) => to >= 0 && to !== row[byte - 1] && before[to]!.push(state))
    })
    const distances = Int32Array.from(this.#accepts, (accepts) => (accepts === 1 ? 0 : -1))
    const queue = this.#accepts.flatMap((accepts, state) => (accepts === 1 ? [state] : []))
    for (let i = 0; i < queue.length; i += 1) {
      for (const earlier of before[queue[i]!]!) {
        if (distances[earlier]! >= 0) continue
        distances[earlier] = distances[queue[i]!]! + 1
        queue.push(earlier)
      }
    }
    return distances
  }
}

/** Bytes that all states treat alike: classes are split by each row in turn. */
function byteClasses(rows: readonly Int32Array[]) {
  const classOf = new Uint16Array(256)
  const representatives = [0]
  for (const row of rows) {
    const split = new Map<string, number>()
    for (let byte = 0; byte < 256; byte += 1) {
      const old = classOf[byte]!
      if (row[byte] === row[representatives[old]!]) continue
      const key = `${old}:${row[byte]}`
      if (!split.has(key)) split.set(key, representatives.push(byte) - 1)
      classOf[byte] = split.get(key)!
    }
  }
  return { classOf, representatives }
}

/** The ranges of bytes that lead on from a set of places, each with where to. */
function sweep(places: readonly [ByteTree, number][]) {
  const edges = places.flatMap(([tree, end]) => tree.edges.map((edge) => ({ ...edge, end })))
  const cuts = new Set(edges.flatMap(({ from, to }) => [from, to + 1]))
  const starts = [...cuts].sort((a, b) => a - b)
  return starts.slice(0, -1).flatMap((from, i) => {
    const targets = edges
      .filter((edge) => edge.from <= from && edge.to >= from)
      .map(({ next, end }): [ByteTree | null, number] => [next, end])
    return targets.length > 0 ? [{ from, to: starts[i + 1]! - 1, targets }] : []
  })
}

type ByteRanges = readonly (readonly [from: number, to: number])[]

const escapedLetters: readonly [string, string][] = [
  ['"', '"'],
  ['\\', '\\'],
  ['\b', 'b'],
  ['\f', 'f'],
  ['\n', 'n'],
  ['\r', 'r'],
  ['\t', 't'],
]

/** Sequences of byte ranges; inside JSON strings each code point has one, the one that JSON.stringify writes. */
function encode(set: CodePoints, encoding: Encoding): ByteRanges[] {
  if (encoding === 'plain') return utf8Ranges(set)
  const plain = subtract(set, [0, 0x1f, 0x22, 0x22, 0x5c, 0x5c])
  const single = (text: string): ByteRanges => [...Buffer.from(text)].map((byte) => [byte, byte])
  const letters = escapedLetters.flatMap(([sign, letter]) =>
    intersect(set, codePointsOf(sign)).length > 0 ? [single(`\\${letter}`)] : [],
  )
  const others = subtract(intersect(set, [0, 0x1f]), codePointsOf('\b\f\n\r\t'))
  const codes = pairsOf(others).flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, i) =>
      single(`\\u${(from + i).toString(16).padStart(4, '0')}`),
    ),
  )
  return [...utf8Ranges(plain), ...letters, ...codes]
}

/** First and last code point of each length, surrogates cut out. */
const utf8Lengths: CodePoints[] = [
  [0, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xd7ff, 0xe000, 0xffff],
  [0x10000, 0x10ffff],
]

function utf8Ranges(set: CodePoints): ByteRanges[] {
  return utf8Lengths.flatMap((ofLength, i) =>
    pairsOf(intersect(set, ofLength)).flatMap(([from, to]) => splitRange(from, to, i)),
  )
}

/** Cuts a range of code points with `tail` continuation bytes where their bytes stop being ranges of their own. */
function splitRange(from: number, to: number, tail: number): ByteRanges[] {
  if (tail === 0) return [[[from, to]]]
  for (let bits = 6; bits <= 6 * tail; bits += 6) {
    const mask = (1 << bits) - 1
    if (from >> bits === to >> bits) continue
    if ((from & mask) !== 0) {
      return [...splitRange(from, from | mask, tail), ...splitRange((from | mask) + 1, to, tail)]
    }
    if ((to & mask) !== mask) {
      return [...splitRange(from, (to & ~mask) - 1, tail), ...splitRange(to & ~mask, to, tail)]
    }
  }
  const first = bytesOf(from)
  const last = bytesOf(to)
  return [first.map((byte, i) => [byte, last[i]!] as const)]
}

function bytesOf(point: number): number[] {
  return [...Buffer.from(String.fromCodePoint(point))]
}

/** Sequences that begin with the same range share it; ranges of `utf8Ranges` never overlap in part within a class. */
function buildTree(sequences: readonly ByteRanges[]): ByteTree {
  const byFirst = new Map<string, { from: number; to: number; rest: ByteRanges[] }>()
  for (const [[from, to], ...rest] of sequences as [readonly [number, number], ...ByteRanges][]) {
    const key = `${from}-${to}`
    const entry = byFirst.get(key) ?? { from, to, rest: [] }
    entry.rest.push(rest)
    byFirst.set(key, entry)
  }
  return {
    edges: [...byFirst.values()].map(({ from, to, rest }) => ({
      from,
      to,
      next: rest[0]!.length === 0 ? null : buildTree(rest),
    })),
  }
}
