/**
 * Keys and values of prompts that no slot holds any more, as blocks of `BLOCK_TOKENS` tokens in a tree: a node's path
 * from the root is the prompt up to and with its block. A persona's system prompt, shared by all its conversations, is
 * stored once. Memory is bounded; the block that was unused longest goes first. Knows token ids and storage only; the
 * caller copies keys and values in and out.
 */

/** Small, so that little of a prefix is lost at its end; copies of a block are still kilobytes long. */
export const BLOCK_TOKENS = 16

interface Node {
  readonly parent: Node | null
  readonly key: string
  readonly children: Map<string, Node>
  /** Keys and values of the block; empty in a root. */
  readonly data: Float32Array
  /** Paths under way that go through it: not to be evicted. */
  pins: number
}

export interface PrefixTreeOptions {
  /** Most bytes of keys and values. */
  memoryBytes: number
  /** Keys and values of one token, all layers. */
  floatsPerToken: number
}

/** `data` of the block that begins at token `start`. */
export type BlockVisitor = (start: number, data: Float32Array) => void

export class PrefixTree {
  readonly #blockFloats: number
  readonly #limit: number
  readonly #roots = new Map<string, Node>()
  /**
   * All blocks, the one unused longest first. A touch goes from the end of a path to its beginning, so a child always
   * stands before its parent and the first entry is a leaf.
   */
  readonly #order = new Set<Node>()

  constructor({ memoryBytes, floatsPerToken }: PrefixTreeOptions) {
    this.#blockFloats = floatsPerToken * BLOCK_TOKENS
    this.#limit = Math.floor(memoryBytes / (4 * this.#blockFloats))
  }

  /** Blocks that it holds, and may hold. */
  get blocks(): { used: number; limit: number } {
    return { used: this.#order.size, limit: this.#limit }
  }

  /** How many leading tokens of `tokens[0, end)` are stored: whole blocks. `space`: see `KvSlots`. */
  match(space: string, tokens: ArrayLike<number>, end: number): number {
    return this.#path(space, tokens, end).length * BLOCK_TOKENS
  }

  /** Hands out the stored blocks of `tokens[0, end)` and counts them as used. */
  read(space: string, tokens: ArrayLike<number>, end: number, visit: BlockVisitor): void {
    const path = this.#path(space, tokens, end)
    path.forEach((node, i) => visit(i * BLOCK_TOKENS, node.data))
    this.#touch(path)
  }

  /** Keeps the stored blocks of `tokens[0, end)` from being evicted until the function that comes back is called. */
  hold(space: string, tokens: ArrayLike<number>, end: number): () => void {
    const path = this.#path(space, tokens, end)
    this.#touch(path)
    for (const node of path) node.pins += 1
    return () => {
      for (const node of path) node.pins -= 1
    }
  }

  /** Stores the whole blocks of `tokens[0, end)`; `fill` writes those that are new. Stops when memory is out. */
  store(space: string, tokens: ArrayLike<number>, end: number, fill: BlockVisitor): void {
    if (this.#limit === 0) return
    const path = this.#path(space, tokens, end)
    // What is there already goes to the end of the order, behind all that may be evicted.
    this.#touch(path)
    for (const node of path) node.pins += 1
    for (
      let start = path.length * BLOCK_TOKENS;
      start + BLOCK_TOKENS <= end;
      start += BLOCK_TOKENS
    ) {
      const data = this.#allocate()
      if (!data) break
      fill(start, data)
      path.push(this.#insert(path.at(-1) ?? this.#root(space), keyOf(tokens, start), data))
    }
    for (const node of path) node.pins -= 1
    this.#touch(path)
  }

  #insert(parent: Node, key: string, data: Float32Array): Node {
    const node = { parent, key, children: new Map(), data, pins: 1 }
    parent.children.set(key, node)
    this.#order.add(node)
    return node
  }

  #root(space: string): Node {
    const known = this.#roots.get(space)
    if (known) return known
    const root = { parent: null, key: space, children: new Map(), data: NO_DATA, pins: 0 }
    this.#roots.set(space, root)
    return root
  }

  #path(space: string, tokens: ArrayLike<number>, end: number): Node[] {
    const path: Node[] = []
    let node = this.#roots.get(space)
    for (let start = 0; node && start + BLOCK_TOKENS <= end; start += BLOCK_TOKENS) {
      node = node.children.get(keyOf(tokens, start))
      if (node) path.push(node)
    }
    return path
  }

  #touch(path: readonly Node[]): void {
    for (const node of path.toReversed()) {
      this.#order.delete(node)
      this.#order.add(node)
    }
  }

  /** Storage for one more block, or null when all of it is in use by the path under way. */
  #allocate(): Float32Array | null {
    if (this.#order.size < this.#limit) return new Float32Array(this.#blockFloats)
    const [oldest] = this.#order
    if (!oldest || oldest.pins > 0) return null
    this.#order.delete(oldest)
    const { parent, key, data } = oldest
    parent!.children.delete(key)
    if (parent!.parent === null && parent!.children.size === 0) this.#roots.delete(parent!.key)
    return data
  }
}

const NO_DATA = new Float32Array(0)

function keyOf(tokens: ArrayLike<number>, start: number): string {
  let key = ''
  for (let i = start; i < start + BLOCK_TOKENS; i += 1) key += `${tokens[i]!},`
  return key
}
