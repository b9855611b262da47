export { GrammarAutomaton } from './automaton.ts'
export { constraintGrammar, type Constraint } from './constraint.ts'
export { TokenConstraint, TokenSets } from './token-constraint.ts'
export { TokenTrie } from './token-trie.ts'
