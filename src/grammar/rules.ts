/** A grammar over bytes: what a constraint is compiled to, before it runs. Rules may refer to each other and to themselves. */
import type { ByteDfa } from './byte-dfa.ts'

export type Rule =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'dfa'; readonly dfa: ByteDfa }
  | { readonly kind: 'seq'; readonly items: readonly Rule[] }
  /** Of none: what cannot be written. */
  | { readonly kind: 'choice'; readonly items: readonly Rule[] }
  /** The item is never empty. `max` may be Infinity. */
  | { readonly kind: 'repeat'; readonly item: Rule; readonly min: number; readonly max: number }
  | { readonly kind: 'rule'; readonly name: string }

export interface Grammar {
  readonly rules: ReadonlyMap<string, Rule>
  readonly start: Rule
}

export const literal = (text: string): Rule => ({ kind: 'bytes', bytes: Buffer.from(text) })
export const automaton = (dfa: ByteDfa): Rule => ({ kind: 'dfa', dfa })
export const sequence = (...items: readonly Rule[]): Rule => ({ kind: 'seq', items })
export const either = (...items: readonly Rule[]): Rule => ({ kind: 'choice', items })
export const repeated = (item: Rule, min: number, max: number): Rule => ({ kind: 'repeat', item, min, max }) // prettier-ignore
export const maybe = (item: Rule): Rule => repeated(item, 0, 1)
export const named = (name: string): Rule => ({ kind: 'rule', name })
/** The empty text. */
export const empty: Rule = sequence()
export const impossible: Rule = either()

/** Bytes of the shortest text of each rule; Infinity where there is none. */
export function shortestTexts(rules: ReadonlyMap<string, Rule>): Map<string, number> {
  const shortest = new Map<string, number>()
  const open = new Set(rules.keys())
  // Values only fall; a round without a change is the least solution.
  for (let changed = true; changed;) {
    changed = false
    for (const name of open) {
      const length = shortestText(rules.get(name)!, shortest)
      if (length < (shortest.get(name) ?? Infinity)) {
        shortest.set(name, length)
        changed = true
      }
    }
  }
  return shortest
}

export function shortestText(rule: Rule, ofRules: ReadonlyMap<string, number>): number {
  if (rule.kind === 'bytes') return rule.bytes.length
  if (rule.kind === 'dfa') return rule.dfa.minBytes[0] ?? Infinity
  if (rule.kind === 'rule') return ofRules.get(rule.name) ?? Infinity
  if (rule.kind === 'repeat') {
    return rule.min === 0 ? 0 : rule.min * shortestText(rule.item, ofRules)
  }
  const lengths = rule.items.map((item) => shortestText(item, ofRules))
  return rule.kind === 'seq'
    ? lengths.reduce((sum, length) => sum + length, 0)
    : Math.min(...lengths)
}
