/**
 * The tokens of a vocabulary as one tree of bytes, so that which tokens may follow a state is found in one walk that
 * leaves out what begins wrongly. Nodes lie in the order of the walk, each with where its branch ends.
 */
import { dead, type GrammarAutomaton } from './automaton.ts'

/**
 * Longer tokens (runs of spaces, lines of dashes) are not used in constrained replies; a bound makes states that differ
 * in what is further away alike.
 */
export const maxTokenBytes = 32

/** By id; null for tokens that constrained replies never use. */
type Tokens = readonly (Uint8Array | null)[]

export class TokenTrie {
  readonly tokens: Tokens
  /** Words of 32 tokens that a set takes. */
  readonly words: number
  readonly #byteOf: Uint8Array
  /** Bytes before the node's own. */
  readonly #depthOf: Uint8Array
  /** Where the branch of a node ends. */
  readonly #endOf: Int32Array
  /** The tokens that end at node i are `#ids[#firstId[i] … #firstId[i + 1])`. */
  readonly #firstId: Int32Array
  readonly #ids: Int32Array
  readonly #singleBytes: ReadonlySet<number>
  readonly #states = new Int32Array(maxTokenBytes + 1)

  /** `vocabSize`: of the logits; not less than there are tokens that can be drawn. */
  constructor(tokens: Tokens, vocabSize: number) {
    this.tokens = tokens
    this.words = Math.ceil(vocabSize / 32)
    const usable = Array.from(tokens.keys()).filter((id) => isUsable(tokens[id]!) && id < vocabSize)
    usable.sort((a, b) => Buffer.compare(tokens[a]!, tokens[b]!) || a - b)
    const single = usable.filter((id) => tokens[id]!.length === 1)
    this.#singleBytes = new Set(single.map((id) => tokens[id]![0]!))
    const nodes = listNodes(usable.map((id) => tokens[id]!))
    this.#byteOf = Uint8Array.from(nodes.bytes)
    this.#depthOf = Uint8Array.from(nodes.depths)
    this.#firstId = Int32Array.from(nodes.firstIds)
    this.#ids = Int32Array.from(usable)
    this.#endOf = branchEnds(this.#depthOf)
  }

  /** Whether a byte is a token of its own. */
  hasByte(byte: number): boolean {
    return this.#singleBytes.has(byte)
  }

  /** The set of tokens that may follow, one bit each. */
  allowed(automaton: GrammarAutomaton, state: number): Uint32Array {
    const set = new Uint32Array(this.words)
    const states = this.#states
    states[0] = state
    const count = this.#byteOf.length
    for (let node = 0; node < count;) {
      const depth = this.#depthOf[node]!
      const then = automaton.next(states[depth]!, this.#byteOf[node]!)
      if (then === dead) {
        node = this.#endOf[node]!
        continue
      }
      states[depth + 1] = then
      for (let i = this.#firstId[node]!; i < this.#firstId[node + 1]!; i += 1) {
        const id = this.#ids[i]!
        set[id >>> 5]! |= 1 << (id & 31)
      }
      node += 1
    }
    return set
  }
}

function isUsable(bytes: Uint8Array | null): boolean {
  return bytes !== null && bytes.length > 0 && bytes.length <= maxTokenBytes
}

/**
 * Nodes in the order of the walk. The texts that end at node i are those from firstIds[i] to before firstIds[i + 1]: a
 * node on the way to a text is followed by one for the same text.
 */
function listNodes(texts: readonly Uint8Array[]) {
  const bytes: number[] = []
  const depths: number[] = []
  const firstIds: number[] = []
  texts.forEach((text, index) => {
    for (let depth = sharedLength(texts[index - 1], text); depth < text.length; depth += 1) {
      bytes.push(text[depth]!)
      depths.push(depth)
      firstIds.push(index)
    }
  })
  firstIds.push(texts.length)
  return { bytes, depths, firstIds }
}

function sharedLength(before: Uint8Array | undefined, text: Uint8Array): number {
  const differs = before?.findIndex((byte, i) => byte !== text[i]) ?? 0
  return differs < 0 ? before!.length : differs
}

/** The next node that is no deeper, by node. */
function branchEnds(depths: Uint8Array): Int32Array {
  const ends = new Int32Array(depths.length)
  const open: number[] = []
  depths.forEach((depth, node) => {
    while (open.length > 0 && depths[open.at(-1)!]! >= depth) ends[open.pop()!] = node
    open.push(node)
  })
  for (const node of open) ends[node] = depths.length
  return ends
}
