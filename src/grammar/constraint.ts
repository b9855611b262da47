/** What a reply must be, as clients ask for it, and the grammar that says so. */
import { fail, SteerError } from '../errors.ts'
import { literalsDfa, toByteDfa } from './byte-dfa.ts'
import { StateBudget } from './limits.ts'
import { parsePattern } from './pattern-parser.ts'
import { automaton, type Grammar } from './rules.ts'
import { schemaGrammar } from './schema-grammar.ts'

export type Constraint =
  | { readonly kind: 'json-schema'; readonly schema: unknown; readonly param: string }
  /** The whole reply; JavaScript's syntax. */
  | { readonly kind: 'regex'; readonly pattern: string; readonly param: string }
  | { readonly kind: 'choice'; readonly texts: readonly string[]; readonly param: string }

/** Fails BAD_REQUEST with the constraint's `param`. */
export function constraintGrammar(constraint: Constraint): Grammar {
  const { param } = constraint
  try {
    return compile(constraint)
  } catch (error) {
    if (!(error instanceof SteerError)) throw error
    return fail(error.code, `${param}: ${error.detail}`, { param, cause: error })
  }
}

function compile(constraint: Constraint): Grammar {
  if (constraint.kind === 'json-schema') return schemaGrammar(constraint.schema)
  const budget = new StateBudget()
  const dfa =
    constraint.kind === 'choice'
      ? literalsDfa(constraint.texts, budget)
      : toByteDfa(parsePattern(constraint.pattern, { whole: true }), 'plain', budget)
  return { rules: new Map(), start: automaton(dfa) }
}
