/** Facts that hold together: `allOf`, and keywords beside `$ref` and `anyOf`. */
import { isDeepStrictEqual } from 'node:util'
import type { ArrayFacts, Conjunction, Facts, NumberFacts, ObjectFacts, StringFacts } from './schema-types.ts' // prettier-ignore

export function joinFacts(a: Facts, b: Facts): Facts {
  return {
    at: a.at || b.at,
    types: new Set([...a.types].filter((type) => b.types.has(type))),
    values: joinValues(a.values, b.values),
    string: joinStrings(a.string, b.string),
    number: joinNumbers(a.number, b.number),
    array: joinArrays(a.array, b.array),
    object: joinObjects(a.object, b.object),
  }
}

function joinValues(a: Facts['values'], b: Facts['values']): Facts['values'] {
  if (!a || !b) return a ?? b
  return a.filter((value) => b.some((other) => isDeepStrictEqual(value, other)))
}

function joinStrings(a: StringFacts, b: StringFacts): StringFacts {
  return {
    minLength: Math.max(a.minLength, b.minLength),
    maxLength: Math.min(a.maxLength, b.maxLength),
    patterns: [...a.patterns, ...b.patterns],
  }
}

function joinNumbers(a: NumberFacts, b: NumberFacts): NumberFacts {
  const min = Math.max(a.min, b.min)
  const max = Math.min(a.max, b.max)
  return {
    min,
    max,
    withoutMin: (a.min === min && a.withoutMin) || (b.min === min && b.withoutMin),
    withoutMax: (a.max === max && a.withoutMax) || (b.max === max && b.withoutMax),
  }
}

function joinArrays(a: ArrayFacts, b: ArrayFacts): ArrayFacts {
  const length = Math.max(a.prefix.length, b.prefix.length)
  const at = (facts: ArrayFacts, i: number): Conjunction => facts.prefix[i] ?? facts.items
  return {
    prefix: Array.from({ length }, (_, i) => [...at(a, i), ...at(b, i)]),
    items: [...a.items, ...b.items],
    hasItems: a.hasItems || b.hasItems,
    min: Math.max(a.min, b.min),
    max: Math.min(a.max, b.max),
    uniqueAt: a.uniqueAt ?? b.uniqueAt,
  }
}

/** A property that one of them does not name is one of its further properties. */
function joinObjects(a: ObjectFacts, b: ObjectFacts): ObjectFacts {
  const names = new Set([...a.properties.keys(), ...b.properties.keys()])
  const of = (facts: ObjectFacts, name: string): Conjunction =>
    facts.properties.get(name) ?? facts.additional ?? []
  return {
    properties: new Map([...names].map((name) => [name, [...of(a, name), ...of(b, name)]])),
    required: new Set([...a.required, ...b.required]),
    additional: a.additional || b.additional ? [...(a.additional ?? []), ...(b.additional ?? [])] : null, // prettier-ignore
    names: [...a.names, ...b.names],
    maxProperties: Math.min(a.maxProperties, b.maxProperties),
  }
}
