/** One constrained reply: which tokens may come next, given those before. */
import { dead, type GrammarAutomaton } from './automaton.ts'
import { maxTokenBytes, type TokenTrie } from './token-trie.ts'

/** Sets kept for one grammar, in bytes. */
const maxSetBytes = 8 << 20

/** The sets of tokens that were worked out for a grammar; shared by its replies. */
export class TokenSets {
  readonly automaton: GrammarAutomaton
  readonly trie: TokenTrie
  readonly #sets = new Map<number, Uint32Array>()

  constructor(automaton: GrammarAutomaton, trie: TokenTrie) {
    this.automaton = automaton
    this.trie = trie
  }

  /** Not to be changed. */
  allowed(state: number): Uint32Array {
    const like = this.automaton.within(state, maxTokenBytes)
    const known = this.#sets.get(like)
    if (known) return known
    if (this.#sets.size * this.trie.words * 4 >= maxSetBytes) this.#sets.clear()
    const set = this.trie.allowed(this.automaton, like)
    this.#sets.set(like, set)
    return set
  }
}

/** The engine's `TokenMask`. */
export class TokenConstraint {
  readonly #sets: TokenSets
  readonly #stopTokens: readonly number[]
  readonly #allowed: Uint32Array
  #state: number

  constructor(sets: TokenSets, stopTokens: readonly number[]) {
    this.#sets = sets
    this.#stopTokens = stopTokens
    this.#allowed = new Uint32Array(sets.trie.words)
    this.#state = sets.automaton.start
  }

  /** One bit a token; stop tokens where the text may end. The same array each time. */
  allowed(): Uint32Array {
    this.#allowed.set(this.#sets.allowed(this.#state))
    if (this.#sets.automaton.isComplete(this.#state)) {
      for (const id of this.#stopTokens) this.#allowed[id >>> 5]! |= 1 << (id & 31)
    }
    return this.#allowed
  }

  /** Records the token that was drawn; not a stop token. */
  accept(token: number): void {
    const { automaton, trie } = this.#sets
    for (const byte of trie.tokens[token] ?? []) this.#state = automaton.next(this.#state, byte)
    if (this.#state === dead) throw new Error(`internal: token ${token} breaks the constraint`)
  }

  /** Nothing but the end can follow. */
  get isOver(): boolean {
    return this.#sets.automaton.isOver(this.#state)
  }
}
