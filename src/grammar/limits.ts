/** What a constraint may cost. They come from strangers and are compiled beside other people's streams. */
import { fail } from '../errors.ts'

export const limits = {
  /** Of a schema, as JSON. */
  schemaBytes: 256 << 10,
  /** Objects and arrays within one another. */
  schemaDepth: 100,
  /** Ways in which the branches of anyOf, oneOf and allOf combine at one place. */
  branches: 256,
  /** Properties of one object. */
  properties: 512,
  /** Of all enum values and property names, in characters. */
  patternCharacters: 10_000,
  /** Of a pattern after its repetitions were written out. */
  patternNodes: 20_000,
  /** Of the automata of one constraint, together. */
  states: 20_000,
  /** Of one automaton while it is made: sets of nodes that a state stands for. */
  work: 4_000_000,
  /** Terms that a running constraint may meet (`automaton.ts`). */
  terms: 400_000,
} as const

/** Fails BAD_REQUEST for a constraint that would cost too much. */
export function refuseCost(what: string, limit: number): never {
  return fail('BAD_REQUEST', `${what}: more than ${limit}, the limit for constrained replies`)
}

/** Counts the states of one constraint. */
export class StateBudget {
  #left: number = limits.states

  /** Fails BAD_REQUEST when they are used up. */
  take(count: number): void {
    this.#left -= count
    if (this.#left < 0) refuseCost('states of the automaton', limits.states)
  }
}
