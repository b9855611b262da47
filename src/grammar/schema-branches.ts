/** References and combinations of a JSON schema: what holds of one place, as a list of branches without either. */
import { isDeepStrictEqual } from 'node:util'
import { joinFacts } from './join-facts.ts'
import { limits, refuseCost } from './limits.ts'
import { checkSchema, readFacts, refuse, type SchemaObject } from './read-schema.ts'
import type { Conjunction, Facts, Located, ObjectFacts } from './schema-types.ts'

export class SchemaBranches {
  readonly #root: unknown
  /** References that are being followed. */
  readonly #open = new Set<string>()
  readonly #known = new Map<string, Facts[]>()

  constructor(root: unknown) {
    this.#root = root
  }

  /** Nothing satisfies a conjunction without branches. Fails BAD_REQUEST. */
  of(conjunction: Conjunction): Facts[] {
    return conjunction.reduce<Facts[]>(
      (branches, located) => join(branches, this.#branches(located), located.at),
      [anything],
    )
  }

  /** The place that a reference stands for. */
  resolve(reference: unknown, at: string): Located {
    if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) {
      return refuse(`${at}/$ref`, `expected a reference into this schema, such as "#/$defs/name"`)
    }
    const pointer = reference.slice(1)
    let schema: unknown = this.#root
    for (const part of decodeURIComponentSafely(pointer).split('/').slice(1)) {
      const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
      const isInside = typeof schema === 'object' && schema !== null && Object.hasOwn(schema, name)
      if (!isInside) return refuse(`${at}/$ref`, `there is no ${reference}`)
      schema = (schema as Record<string, unknown>)[name]
    }
    return { schema, at: pointer }
  }

  #branches(located: Located): Facts[] {
    const { schema, at } = located
    if (schema === true) return [anything]
    if (schema === false) return []
    const known = this.#known.get(at)
    if (known) return known
    if (this.#open.has(at)) refuse(at, 'refers to itself with no object or list between')
    this.#open.add(at)
    const branches = this.#combine(checkSchema(located), at)
    this.#open.delete(at)
    this.#known.set(at, branches)
    return branches
  }

  #combine(schema: SchemaObject, at: string): Facts[] {
    const { $ref, allOf, anyOf, oneOf } = schema
    let branches = [readFacts(schema, at)]
    // What `type` alone rules out need not be looked into.
    if ($ref !== undefined) branches = join(branches, this.#branches(this.resolve($ref, at)), at)
    for (const part of listOf(allOf, `${at}/allOf`)) {
      branches = join(branches, this.#branches(part), part.at)
    }
    if (anyOf !== undefined) {
      const parts = listOf(anyOf, `${at}/anyOf`).map((part) => this.#branches(part))
      branches = join(branches, parts.flat(), `${at}/anyOf`)
    }
    if (oneOf !== undefined) branches = join(branches, this.#oneOf(oneOf, at), `${at}/oneOf`)
    return branches
  }

  /** Branches of which no value can satisfy two. */
  #oneOf(oneOf: unknown, at: string): Facts[] {
    const parts = listOf(oneOf, `${at}/oneOf`).map((part) => this.#branches(part))
    parts.forEach((branches, i) => {
      parts.slice(i + 1).forEach((others, k) => {
        const overlap = branches.some((a) => others.some((b) => !this.#exclude(a, b, 0)))
        if (!overlap) return
        const which = `${i} and ${i + 1 + k}`
        refuse(`${at}/oneOf`, `branches ${which} may hold of one value; use anyOf, or give both a constant property`) // prettier-ignore
      })
    })
    return parts.flat()
  }

  /** True when it is certain that no value satisfies both. */
  #exclude(a: Facts, b: Facts, depth: number): boolean {
    const types = [...a.types].filter((type) => b.types.has(type))
    if (a.values && b.values) {
      const { values } = b
      return !a.values.some((value) => values.some((other) => isDeepStrictEqual(value, other)))
    }
    return types.every((type) => {
      if (type === 'object') return this.#excludeObjects(a, b, depth)
      if (type !== 'integer' && type !== 'number') return false
      return a.number.max < b.number.min || b.number.max < a.number.min
    })
  }

  #excludeObjects(a: Facts, b: Facts, depth: number): boolean {
    if (depth > 3) return false
    return (
      lacks(a.object, b.object) ||
      lacks(b.object, a.object) ||
      [...a.object.required].some((name) => {
        if (!b.object.required.has(name)) return false
        const left = this.of(a.object.properties.get(name) ?? [])
        const right = this.of(b.object.properties.get(name) ?? [])
        return left.every((one) => right.every((other) => this.#exclude(one, other, depth + 1)))
      })
    )
  }
}

/** `a` allows no property of a name that `b` requires. */
function lacks(a: ObjectFacts, b: ObjectFacts): boolean {
  const isClosed = a.additional?.some(({ schema }) => schema === false) === true
  return isClosed && [...b.required].some((name) => !a.properties.has(name))
}

const anything: Facts = readFacts({}, '')

function join(a: readonly Facts[], b: readonly Facts[], at: string): Facts[] {
  if (a.length * b.length > limits.branches) refuseCost(`schema ${at}: branches`, limits.branches)
  return a.flatMap((one) => b.map((other) => joinFacts(one, other)))
}

function listOf(value: unknown, at: string): Located[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length === 0) return refuse(at, 'expected a list of schemas')
  return value.map((schema: unknown, i) => ({ schema, at: `${at}/${i}` }))
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
