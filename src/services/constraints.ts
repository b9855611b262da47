/** Constraints on replies of one model: the grammar of a request with the model's vocabulary. Keeps those used last. */
import type { TokenMask } from '../engine/index.ts'
import { fail } from '../errors.ts'
import { GrammarAutomaton, TokenConstraint, TokenSets, TokenTrie, constraintGrammar, type Constraint } from '../grammar/index.ts' // prettier-ignore
import type { Tokenizer } from '../text/tokenizer.ts'

const maxKept = 16
/** An automaton that has met more is not kept. */
const maxKeptTerms = 50_000

export class Constraints {
  readonly #tokenizer: Pick<Tokenizer, 'tokenBytes'>
  readonly #vocabSize: number
  #trie: TokenTrie | null = null
  /** By the constraint as JSON, the one used last at the end. */
  readonly #kept = new Map<string, TokenSets>()

  /** `vocabSize`: of the logits. */
  constructor(tokenizer: Pick<Tokenizer, 'tokenBytes'>, vocabSize: number) {
    this.#tokenizer = tokenizer
    this.#vocabSize = vocabSize
  }

  /** For one reply. Fails BAD_REQUEST, naming the constraint's `param`. */
  create(constraint: Constraint, stopTokens: readonly number[]): TokenMask {
    const key = JSON.stringify(constraint)
    const known = this.#kept.get(key)
    this.#kept.delete(key)
    const sets = known && known.automaton.size <= maxKeptTerms ? known : this.#compile(constraint)
    this.#kept.set(key, sets)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > maxKept) this.#kept.delete(oldest!)
    return new TokenConstraint(sets, stopTokens)
  }

  #compile(constraint: Constraint): TokenSets {
    const trie = (this.#trie ??= this.#buildTrie(constraint))
    const automaton = new GrammarAutomaton(constraintGrammar(constraint), (byte) => trie.hasByte(byte)) // prettier-ignore
    return new TokenSets(automaton, trie)
  }

  #buildTrie({ param }: Constraint): TokenTrie {
    const bytes = this.#tokenizer.tokenBytes()
    if (bytes) return new TokenTrie(bytes, this.#vocabSize)
    const detail = "the model's tokenizer does not write its tokens byte by byte"
    return fail('BAD_REQUEST', `${param}: ${detail}, so replies cannot be constrained`, { param })
  }
}
