/**
 * A JSON schema as a grammar of compact JSON: one optional space after a comma and a colon, none elsewhere; properties
 * in the order in which the schema has them; each string written in one way, as JSON.stringify does. What comes out is
 * a part of what the schema allows and never more.
 *
 * Left out although allowed: properties that the schema does not describe (an object without `properties`, or with a
 * schema of its own as `additionalProperties`, gets some), exponents, more than 15 digits before a point.
 */
import { fail } from '../errors.ts'
import { literalsDfa, toByteDfa, type ByteDfa } from './byte-dfa.ts'
import { intersectDfas, lengthDfa, matches, subtractDfa, toCharDfa, type CharDfa } from './char-dfa.ts' // prettier-ignore
import { allCodePoints } from './code-points.ts'
import { limits, refuseCost, StateBudget } from './limits.ts'
import { numberDfa } from './number-dfa.ts'
import { parsePattern } from './pattern-parser.ts'
import { locate, refuse } from './read-schema.ts'
import { chars, choice, text } from './regex.ts'
import { automaton, either, empty, impossible, literal, maybe, named, repeated, sequence, type Grammar, type Rule } from './rules.ts' // prettier-ignore
import { SchemaBranches } from './schema-branches.ts'
import type { ArrayFacts, Conjunction, Facts, JsonType, ObjectFacts, StringFacts } from './schema-types.ts' // prettier-ignore

/** Any JSON object. */
export const anyObjectSchema = { type: 'object' }

/** Fails BAD_REQUEST for what cannot be enforced, with its place, and for what would cost too much. */
export function schemaGrammar(schema: unknown): Grammar {
  const bytes = Buffer.byteLength(JSON.stringify(schema) ?? '')
  if (bytes > limits.schemaBytes) refuseCost('bytes of the schema', limits.schemaBytes)
  try {
    return new SchemaCompiler(schema).compile()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return fail('BAD_REQUEST', 'the schema is nested too deeply', { cause: error })
  }
}

const comma = sequence(literal(','), maybe(literal(' ')))
const colon = sequence(literal(':'), maybe(literal(' ')))
const quote = literal('"')
const anyChars = lengthDfa(0, Infinity)
/** Lists of so few different values may be asked to be unique. */
const maxUnique = 8

class SchemaCompiler {
  readonly #schema: unknown
  readonly #branches: SchemaBranches
  readonly #budget = new StateBudget()
  readonly #rules = new Map<string, Rule>()
  readonly #patterns = new Map<string, CharDfa>()
  readonly #automata = new Map<string, ByteDfa>()
  #depth = 0

  constructor(schema: unknown) {
    this.#schema = schema
    this.#branches = new SchemaBranches(schema)
  }

  compile(): Grammar {
    const start = this.#value([{ schema: this.#schema, at: '' }])
    return { rules: this.#rules, start }
  }

  /** A rule of its own for every place, so that schemas may contain themselves. */
  #value(conjunction: Conjunction): Rule {
    const places = conjunction.map((located) => this.#follow(located)).filter(({ schema }) => schema !== true) // prettier-ignore
    const name = [...new Set(places.map(({ at }) => `#${at}`))].sort().join(' ') || 'any'
    if (!this.#rules.has(name)) {
      this.#rules.set(name, impossible)
      this.#depth += 1
      if (this.#depth > limits.schemaDepth) refuseCost('depth of the schema', limits.schemaDepth)
      const branches = this.#branches.of(places).map((facts) => this.#branch(facts, name))
      this.#rules.set(name, either(...branches))
      this.#depth -= 1
    }
    return named(name)
  }

  /** A schema that is a reference alone is what it refers to. */
  #follow(located: Conjunction[number]): Conjunction[number] {
    const seen = new Set<string>()
    let { schema, at } = located
    while (isReference(schema) && !seen.has(at)) {
      seen.add(at)
      ;({ schema, at } = this.#branches.resolve(schema.$ref, at))
    }
    return { schema, at }
  }

  #branch(facts: Facts, name: string): Rule {
    if (facts.values) return this.#values(facts, facts.values)
    const { types } = facts
    const rules: Record<JsonType, () => Rule> = {
      object: () => this.#object(facts.object, facts),
      array: () => this.#array(facts.array, name),
      string: () => this.#string(facts.string),
      number: () => this.#number(facts, false),
      integer: () => (types.has('number') ? impossible : this.#number(facts, true)),
      boolean: () => either(literal('true'), literal('false')),
      null: () => literal('null'),
    }
    return either(...[...types].map((type) => rules[type]()))
  }

  /** Those of the listed values that the other keywords allow, too. */
  #values(facts: Facts, values: readonly unknown[]): Rule {
    const allowed = values.filter((value) => this.#holds(facts, value))
    const texts = [...new Set(allowed.map((value) => JSON.stringify(value)))]
    if (texts.length === 1) return literal(texts[0]!)
    return this.#automaton(`v${texts.join()}`, () => literalsDfa(texts, this.#budget))
  }

  #holds(facts: Facts, value: unknown): boolean {
    const type = typeOf(value)
    if (!facts.types.has(type)) return false
    if (typeof value === 'string') return this.#stringHolds(facts.string, value)
    if (typeof value === 'number') return isWithin(facts.number, value)
    const { object, array } = facts
    const isPlain =
      type === 'object'
        ? object.properties.size === 0 && object.required.size === 0 && !object.additional
        : array.prefix.length === 0 && !array.hasItems && array.min === 0 && !array.uniqueAt
    const isScalar = type === 'boolean' || type === 'null'
    if (!isPlain && !isScalar) refuse(facts.at, `keywords beside an enum of ${type}s cannot be enforced`) // prettier-ignore
    return true
  }

  #stringHolds({ minLength, maxLength, patterns }: StringFacts, value: string): boolean {
    const length = Array.from(value).length
    if (length < minLength || length > maxLength) return false
    return patterns.every((pattern) => matches(this.#pattern(pattern), value))
  }

  #number({ number, at }: Facts, isInteger: boolean): Rule {
    const { min, max, withoutMin, withoutMax } = number
    const key = `n${[isInteger, min, max, withoutMin, withoutMax].join()}`
    const make = (): ByteDfa =>
      toByteDfa(numberDfa({ ...number, isInteger }), 'plain', this.#budget)
    return this.#automaton(key, () => locate(at, make))
  }

  #string(facts: StringFacts): Rule {
    return sequence(quote, this.#characters(facts), quote)
  }

  /** Without a pattern the length is counted, not written out as states. */
  #characters(facts: StringFacts): Rule {
    const { minLength, maxLength, patterns } = facts
    if (minLength > maxLength) return impossible
    if (patterns.length > 0) {
      const key = `p${minLength},${maxLength},${patterns.map(({ source, whole }) => `${whole} ${source}`).join('\n')}`
      return this.#automaton(key, () => this.#encode(this.#stringDfa(facts)))
    }
    const anyChar = this.#automaton('char', () => this.#encode(toCharDfa(chars(allCodePoints))))
    return repeated(anyChar, minLength, maxLength)
  }

  /** As code points, without the quotes. */
  #stringDfa({ minLength, maxLength, patterns }: StringFacts): CharDfa {
    const all = patterns.map((pattern) => this.#pattern(pattern))
    const dfa = all.reduce((a, b) => intersectDfas(a, b), anyChars)
    if (minLength === 0 && maxLength === Infinity) return dfa
    return locate(patterns[0]?.at ?? '', () => intersectDfas(dfa, lengthDfa(minLength, maxLength)))
  }

  #pattern({ source, whole, at }: StringFacts['patterns'][number]): CharDfa {
    const key = `${whole} ${source}`
    const known = this.#patterns.get(key)
    if (known) return known
    const dfa = locate(at, () => parsePattern(source, { whole }))
    this.#patterns.set(key, dfa)
    return dfa
  }

  #encode(dfa: CharDfa): ByteDfa {
    return toByteDfa(dfa, 'json-string', this.#budget)
  }

  #automaton(key: string, make: () => ByteDfa): Rule {
    const dfa = this.#automata.get(key) ?? make()
    this.#automata.set(key, dfa)
    return automaton(dfa)
  }

  #array(facts: ArrayFacts, name: string): Rule {
    const { prefix, min, max } = facts
    if (min > max) return impossible
    if (facts.uniqueAt && max > 1) return this.#uniqueArray(facts, name)
    // Further items only where the schema describes them, or where there must be some.
    const most = prefix.length > 0 && !facts.hasItems ? Math.max(prefix.length, min) : max
    const further = Math.min(most, max) - prefix.length
    const before = prefix.slice(0, Math.min(prefix.length, max))
    const rest =
      further <= 0
        ? empty
        : repeated(sequence(comma, this.#value(facts.items)), Math.max(0, min - prefix.length), further) // prettier-ignore
    if (before.length === 0) return this.#plainArray(facts.items, min, most)
    // From the last item to the first: each may end the list where there are enough.
    const items = before.reduceRight<Rule>((after, item, i) => {
      const rule = sequence(...(i > 0 ? [comma] : []), this.#value(item), after)
      return i < min ? rule : maybe(rule)
    }, rest)
    return sequence(literal('['), items, literal(']'))
  }

  #plainArray(items: Conjunction, min: number, max: number): Rule {
    if (max === 0) return literal('[]')
    const item = this.#value(items)
    const more = repeated(sequence(comma, item), Math.max(0, min - 1), max - 1)
    const filled = sequence(item, more)
    return sequence(literal('['), min === 0 ? maybe(filled) : filled, literal(']'))
  }

  /** A rule for each set of values that are used up. */
  #uniqueArray({ items, prefix, min, max, uniqueAt }: ArrayFacts, name: string): Rule {
    const values = prefix.length === 0 ? this.#listValues(items) : null
    if (!values || values.length > maxUnique) {
      return refuse(uniqueAt!, `this keyword can be enforced for lists of up to ${maxUnique} different constants`) // prettier-ignore
    }
    const ruleName = (used: number): string => `${name} unique ${used}`
    for (let used = 0; used < 1 << values.length; used += 1) {
      const count = values.filter((_, i) => (used >> i) & 1).length
      const next = values.flatMap(
        (value, i) =>
        (used >> i) & 1 || count >= max
          ? []
          : [sequence(...(count > 0 ? [comma] : []), literal(value), named(ruleName(used | (1 << i))))], // prettier-ignore
      )
      const mayEnd = count >= min ? [literal(']')] : []
      this.#rules.set(ruleName(used), either(...mayEnd, ...next))
    }
    return sequence(literal('['), named(ruleName(0)))
  }

  /** As JSON, when there are finitely many and all are listed. */
  #listValues(items: Conjunction): string[] | null {
    const lists = this.#branches.of(items).map((facts) => {
      if (facts.values) return facts.values.filter((value) => this.#holds(facts, value))
      const types = [...facts.types]
      if (!types.every((type) => type === 'boolean' || type === 'null')) return null
      return types.flatMap((type) => (type === 'null' ? [null] : [true, false]))
    })
    if (lists.some((list) => list === null)) return null
    return [...new Set(lists.flat().map((value) => JSON.stringify(value)))]
  }

  #object(facts: ObjectFacts, { at }: Facts): Rule {
    const { properties, required, maxProperties } = facts
    const missing = [...required].filter((name) => !properties.has(name))
    const described = new Map([
      ...properties,
      ...missing.map((name): [string, Conjunction] => [name, facts.additional ?? []]),
    ])
    for (const name of described.keys()) {
      if (this.#nameHolds(facts.names, name)) continue
      if (required.has(name)) return impossible
      described.delete(name)
    }
    if (described.size > 0 && maxProperties < described.size) {
      refuse(`${at}/maxProperties`, 'this keyword cannot be enforced below the number of properties') // prettier-ignore
    }
    const names = [...described.keys()]
    const further = this.#further(facts, names, maxProperties - names.length)
    const members = [...described].map(([name, value]) => ({
      member: sequence(literal(JSON.stringify(name)), colon, this.#value(value)),
      isRequired: required.has(name),
    }))
    return sequence(literal('{'), this.#members(members, further), literal('}'))
  }

  /** Members in their order, commas between those that are there. */
  #members(members: readonly Member[], further: Further | null): Rule {
    const more = (most: number): Rule => repeated(sequence(comma, further!.member), 0, most)
    // What may follow when something stands before, and when nothing does.
    let after = further ? more(further.most) : empty
    let begin = further ? maybe(sequence(further.member, more(further.most - 1))) : empty
    for (const { member, isRequired } of members.toReversed()) {
      const atBegin = sequence(member, after)
      const withComma = sequence(comma, atBegin)
      begin = this.#share(isRequired ? atBegin : either(atBegin, begin))
      after = this.#share(isRequired ? withComma : either(withComma, after))
    }
    return begin
  }

  /** Under a name of its own, so that rules that use it more than once do not double. */
  #share(rule: Rule): Rule {
    const name = `shared ${this.#rules.size}`
    this.#rules.set(name, rule)
    return named(name)
  }

  #nameHolds(names: Conjunction, name: string): boolean {
    return (
      names.length === 0 ||
      this.#branches.of(names).some((facts) => {
        return facts.types.has('string') && (!facts.values || facts.values.includes(name)) && this.#stringHolds(facts.string, name) // prettier-ignore
      })
    )
  }

  /** Properties that are not described by name. */
  #further(facts: ObjectFacts, names: readonly string[], most: number): Further | null {
    const additional = facts.additional ?? []
    const saysSomething = additional.some(({ schema }) => !isAnything(schema))
    if (!saysSomething && names.length > 0) return null
    if (additional.some(({ schema }) => schema === false) || most <= 0) return null
    const key = this.#furtherNames(facts.names, names)
    return { member: sequence(quote, key, quote, colon, this.#value(additional)), most }
  }

  #furtherNames(conjunction: Conjunction, taken: readonly string[]): Rule {
    const branches = this.#branches.of(conjunction).filter(({ types }) => types.has('string'))
    const isFree = conjunction.length === 0 && taken.length === 0
    if (isFree) return this.#characters(branches[0]!.string)
    const others = toCharDfa(choice(...taken.map((name) => text(name))))
    const key = `k${JSON.stringify([conjunction.map(({ at }) => at), taken])}`
    return either(
      ...branches.map((facts, i) =>
        this.#automaton(`${key}${i}`, () => {
          const { values } = facts
          const kept = values?.filter((value) => this.#holds(facts, value)) as string[] | undefined
          const allowed = kept
            ? toCharDfa(choice(...kept.map((value) => text(value))))
            : this.#stringDfa(facts.string)
          return this.#encode(subtractDfa(allowed, others))
        }),
      ),
    )
  }
}

interface Member {
  readonly member: Rule
  readonly isRequired: boolean
}

interface Further {
  readonly member: Rule
  readonly most: number
}

function isReference(schema: unknown): schema is { $ref: string } {
  return isObject(schema) && Object.keys(schema).length === 1 && typeof schema.$ref === 'string'
}

function isAnything(schema: unknown): boolean {
  return schema === true || (isObject(schema) && Object.keys(schema).length === 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function typeOf(value: unknown): JsonType {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as 'object' | 'string' | 'boolean'
}

function isWithin({ min, max, withoutMin, withoutMax }: Facts['number'], value: number): boolean {
  return (withoutMin ? value > min : value >= min) && (withoutMax ? value < max : value <= max)
}
