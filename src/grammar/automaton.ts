/**
 * Runs a grammar byte by byte. A state is what may still follow: a term, made from the rules and from itself by
 * Brzozowski's derivatives (J. ACM 11(4), 1964). Equal terms are one, so a state is a number, and what was worked out
 * about it is kept. Sequences lean to the right: the rest of a term is the stack of what is open.
 *
 * Nothing gets stuck: rules without a finite text are left out beforehand, so every term but `dead` can be completed.
 */
import { fail } from '../errors.ts'
import { nextState, withoutBytes, type ByteDfa } from './byte-dfa.ts'
import { limits, refuseCost } from './limits.ts'
import { shortestTexts, type Grammar, type Rule } from './rules.ts'

/** Nothing can follow, not even the end. */
export const dead = 0
/** Only the end can follow. */
const end = 1

type Term =
  | { readonly kind: 'dead' | 'end' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly at: number }
  | { readonly kind: 'dfa'; readonly dfa: ByteDfa; readonly state: number }
  | { readonly kind: 'seq'; readonly first: number; readonly rest: number }
  | { readonly kind: 'choice'; readonly items: readonly number[] }
  | { readonly kind: 'repeat'; readonly item: number; readonly min: number; readonly max: number }
  | { readonly kind: 'rule'; readonly name: string }

/** Tables of followers kept; 1 KB each. */
const maxTables = 4096

export class GrammarAutomaton {
  readonly start: number
  readonly #grammar: Grammar
  readonly #shortestRules: ReadonlyMap<string, number>
  readonly #terms: Term[] = []
  /** Bytes of the shortest text, by term. */
  readonly #shortest: number[] = []
  readonly #ids = new Map<string, number>()
  readonly #bodies = new Map<string, number>()
  readonly #objects = new Map<object, number>()
  /** Rows of `next`, −1 for what was not worked out. */
  #tables: (Int32Array | undefined)[] = []
  #tableCount = 0

  /** `canWrite`: whether the vocabulary has a token of this byte alone. Fails BAD_REQUEST when no text is left. */
  constructor(grammar: Grammar, canWrite: (byte: number) => boolean = () => true) {
    const writable = createFilter(canWrite)
    const rules = new Map([...grammar.rules].map(([name, rule]) => [name, writable(rule)]))
    this.#grammar = { rules, start: writable(grammar.start) }
    this.#shortestRules = shortestTexts(rules)
    this.#intern('dead', { kind: 'dead' }, Infinity)
    this.#intern('end', { kind: 'end' }, 0)
    this.start = this.#fromRule(this.#grammar.start)
    if (this.start === dead) {
      fail('BAD_REQUEST', 'no finite reply satisfies the constraint: what is required cannot be written') // prettier-ignore
    }
  }

  /** Terms so far; they only grow. */
  get size(): number {
    return this.#terms.length
  }

  /** The state after a byte; `dead` when it may not follow. */
  next(state: number, byte: number): number {
    const table = this.#tables[state] ?? this.#addTable(state)
    const known = table[byte]!
    if (known >= 0) return known
    const then = this.#derive(state, byte)
    table[byte] = then
    return then
  }

  /** Whether the text may end here. */
  isComplete(state: number): boolean {
    return this.#shortest[state] === 0
  }

  /** Whether the text must end here. */
  isOver(state: number): boolean {
    return state === end
  }

  /**
   * A state that the same texts of up to `length` bytes may follow; whether they may end there can differ. Few such
   * states stand for many: counters beyond reach and what is open beyond reach do not show in them.
   */
  within(state: number, length: number): number {
    const term = this.#terms[state]!
    if (term.kind === 'choice') return this.#choice(term.items.map((item) => this.within(item, length))) // prettier-ignore
    if (term.kind === 'repeat') return this.#repeatWithin(term, length)
    if (term.kind !== 'seq') return state
    const { first, rest } = term
    const left = length - this.#shortest[first]!
    if (left <= 0) return this.within(first, length)
    return this.#sequence(this.within(first, length), this.within(rest, left))
  }

  #repeatWithin({ item, min, max }: Term & { kind: 'repeat' }, length: number): number {
    const most = Math.ceil(length / this.#shortest[item]!) + 1
    return this.#repeat(item, Math.min(min, most), max > most ? Infinity : max)
  }

  #addTable(state: number): Int32Array {
    if (this.#tableCount >= maxTables) {
      this.#tables = []
      this.#tableCount = 0
    }
    this.#tableCount += 1
    return (this.#tables[state] = new Int32Array(256).fill(-1))
  }

  #derive(state: number, byte: number): number {
    const term = this.#terms[state]!
    switch (term.kind) {
      case 'dead':
      case 'end':
        return dead
      case 'bytes':
        return term.bytes[term.at] === byte ? this.#bytes(term.bytes, term.at + 1) : dead
      case 'dfa': {
        const then = nextState(term.dfa, term.state, byte)
        return then < 0 ? dead : this.#dfa(term.dfa, then)
      }
      case 'seq': {
        const through = this.#sequence(this.next(term.first, byte), term.rest)
        if (!this.isComplete(term.first)) return through
        return this.#choice([through, this.next(term.rest, byte)])
      }
      case 'choice':
        return this.#choice(term.items.map((item) => this.next(item, byte)))
      case 'repeat': {
        const then = this.next(term.item, byte)
        if (then === dead) return dead
        return this.#sequence(then, this.#repeat(term.item, Math.max(0, term.min - 1), term.max - 1)) // prettier-ignore
      }
      case 'rule':
        return this.next(this.#body(term.name), byte)
    }
  }

  #body(name: string): number {
    const known = this.#bodies.get(name)
    if (known !== undefined) return known
    const body = this.#fromRule(this.#grammar.rules.get(name)!)
    this.#bodies.set(name, body)
    return body
  }

  #fromRule(rule: Rule): number {
    switch (rule.kind) {
      case 'bytes':
        return this.#bytes(rule.bytes, 0)
      case 'dfa':
        return rule.dfa.accepts.length === 0 ? dead : this.#dfa(rule.dfa, 0)
      case 'seq':
        return rule.items
          .map((item) => this.#fromRule(item))
          .reduceRight((rest, first) => this.#sequence(first, rest), end)
      case 'choice':
        return this.#choice(rule.items.map((item) => this.#fromRule(item)))
      case 'repeat':
        return this.#repeat(this.#fromRule(rule.item), rule.min, rule.max)
      case 'rule': {
        const shortest = this.#shortestRules.get(rule.name) ?? Infinity
        if (shortest === Infinity) return dead
        return this.#intern(`r${rule.name}`, { kind: 'rule', name: rule.name }, shortest)
      }
    }
  }

  #bytes(bytes: Uint8Array, at: number): number {
    const left = bytes.length - at
    if (left === 0) return end
    return this.#intern(`b${this.#objectId(bytes)},${at}`, { kind: 'bytes', bytes, at }, left)
  }

  #dfa(dfa: ByteDfa, state: number): number {
    const shortest = dfa.minBytes[state]!
    if (shortest === 0 && isLast(dfa, state)) return end
    return this.#intern(`d${this.#objectId(dfa)},${state}`, { kind: 'dfa', dfa, state }, shortest)
  }

  #sequence(first: number, rest: number): number {
    if (first === dead || rest === dead) return dead
    if (first === end) return rest
    if (rest === end) return first
    const term = this.#terms[first]!
    if (term.kind === 'seq') return this.#sequence(term.first, this.#sequence(term.rest, rest))
    const shortest = this.#shortest[first]! + this.#shortest[rest]!
    return this.#intern(`s${first},${rest}`, { kind: 'seq', first, rest }, shortest)
  }

  #choice(parts: readonly number[]): number {
    const items = new Set<number>()
    for (const part of parts) {
      const term = this.#terms[part]!
      if (term.kind === 'choice') for (const item of term.items) items.add(item)
      else if (part !== dead) items.add(part)
    }
    if (items.size === 0) return dead
    const sorted = [...items].sort((a, b) => a - b)
    if (sorted.length === 1) return sorted[0]!
    const shortest = sorted.reduce((min, item) => Math.min(min, this.#shortest[item]!), Infinity)
    return this.#intern(`c${sorted.join()}`, { kind: 'choice', items: sorted }, shortest)
  }

  #repeat(item: number, min: number, max: number): number {
    if (max === 0) return end
    if (item === dead) return min === 0 ? end : dead
    const shortest = min === 0 ? 0 : min * this.#shortest[item]!
    return this.#intern(`*${item},${min},${max}`, { kind: 'repeat', item, min, max }, shortest)
  }

  #intern(key: string, term: Term, shortest: number): number {
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    if (this.#terms.length >= limits.terms) refuseCost('states of the reply', limits.terms)
    const id = this.#terms.push(term) - 1
    this.#shortest.push(shortest)
    this.#ids.set(key, id)
    return id
  }

  #objectId(object: object): number {
    const known = this.#objects.get(object)
    if (known !== undefined) return known
    this.#objects.set(object, this.#objects.size)
    return this.#objects.size - 1
  }
}

function isLast(dfa: ByteDfa, state: number): boolean {
  const row = dfa.next.subarray(state * dfa.classes, (state + 1) * dfa.classes)
  return row.every((then) => then < 0)
}

/** Takes out what needs a byte that cannot be written. */
function createFilter(canWrite: (byte: number) => boolean): (rule: Rule) => Rule {
  const all = Array.from({ length: 256 }, (_, byte) => byte).every(canWrite)
  if (all) return (rule) => rule
  const automata = new Map<ByteDfa, ByteDfa>()
  const filter = (rule: Rule): Rule => {
    switch (rule.kind) {
      case 'bytes':
        return rule.bytes.every(canWrite) ? rule : { kind: 'choice', items: [] }
      case 'dfa': {
        const dfa = automata.get(rule.dfa) ?? withoutBytes(rule.dfa, canWrite)
        automata.set(rule.dfa, dfa)
        return { kind: 'dfa', dfa }
      }
      case 'seq':
      case 'choice':
        return { kind: rule.kind, items: rule.items.map(filter) }
      case 'repeat':
        return { ...rule, item: filter(rule.item) }
      case 'rule':
        return rule
    }
  }
  return filter
}
