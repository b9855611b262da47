/** Texts that a constraint allows, drawn at random over a vocabulary of single bytes, or of any tokens. */
import { createRandom } from '../../src/engine/random.ts'
import {
  GrammarAutomaton,
  TokenConstraint,
  TokenSets,
  TokenTrie,
  constraintGrammar,
  type Constraint,
} from '../../src/grammar/index.ts'

export const singleBytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))

/** A draw prefers these where it may: quotes and brackets that close, so that random texts end. */
const closing = [0x22, 0x5d, 0x7d]

export type Sample = (seed: number) => string

/** Fails where no token is allowed. */
export function sampler(
  constraint: Constraint,
  tokens: readonly (Uint8Array | null)[] = singleBytes,
): Sample {
  const stop = tokens.length
  const trie = new TokenTrie(tokens, stop + 1)
  const automaton = new GrammarAutomaton(constraintGrammar(constraint), (byte) =>
    trie.hasByte(byte),
  )
  const sets = new TokenSets(automaton, trie)
  return (seed) => {
    const random = createRandom(seed)
    const reply = new TokenConstraint(sets, [stop])
    const bytes: number[] = []
    while (!reply.isOver && bytes.length < 4000) {
      const allowed = reply.allowed()
      const ids = Array.from({ length: stop + 1 }, (_, id) => id).filter(
        (id) => (allowed[id >>> 5]! >>> (id & 31)) & 1,
      )
      if (ids.length === 0) throw new Error(`stuck after ${Buffer.from(bytes).toString()}`)
      const preferred = ids.find((id) => closing.includes(tokens[id]?.[0] ?? -1))
      const drawn = ids[Math.floor(random() * ids.length)]!
      const token = preferred !== undefined && random() < 0.4 ? preferred : drawn
      if (token === stop) break
      reply.accept(token)
      bytes.push(...tokens[token]!)
    }
    return Buffer.from(bytes).toString()
  }
}

export const schemaConstraint = (schema: unknown): Constraint => ({
  kind: 'json-schema',
  schema,
  param: 'schema',
})
