/**
 * The keywords of one JSON schema (2020-12) as facts. A keyword that is neither enforced nor known to change nothing is
 * refused by name with its place, so that no reply silently ignores it.
 */
import { SteerError, fail } from '../errors.ts'
import { limits, refuseCost } from './limits.ts'
import type { Facts, JsonType, Located, ObjectFacts, StringFacts } from './schema-types.ts'
import { stringFormats } from './string-formats.ts'

export type SchemaObject = Readonly<Record<string, unknown>>

/** Say nothing of the value. */
const annotations = new Set(
  '$schema $id $comment $defs definitions title description default examples example deprecated readOnly writeOnly contentMediaType contentEncoding'.split(
    ' ',
  ),
)
/** Followed by `schema-branches.ts`. */
const combinations = new Set(['$ref', 'anyOf', 'oneOf', 'allOf'])

const typesOfKeywords: Readonly<Record<string, readonly JsonType[]>> = {
  minLength: ['string'],
  maxLength: ['string'],
  pattern: ['string'],
  format: ['string'],
  minimum: ['number', 'integer'],
  maximum: ['number', 'integer'],
  exclusiveMinimum: ['number', 'integer'],
  exclusiveMaximum: ['number', 'integer'],
  multipleOf: ['number', 'integer'],
  items: ['array'],
  prefixItems: ['array'],
  minItems: ['array'],
  maxItems: ['array'],
  uniqueItems: ['array'],
  properties: ['object'],
  required: ['object'],
  additionalProperties: ['object'],
  propertyNames: ['object'],
  minProperties: ['object'],
  maxProperties: ['object'],
}

const allTypes: readonly JsonType[] = [
  'object',
  'array',
  'string',
  'number',
  'integer',
  'boolean',
  'null',
]

/** Whatever is wrong at a place of a schema. */
export function refuse(at: string, problem: string): never {
  return fail('BAD_REQUEST', `schema ${at || '/'}: ${problem}`)
}

/** Adds the place to what a pattern or a number is refused for. */
export function locate<T>(at: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof SteerError) || error.detail.startsWith('schema ')) throw error
    return refuse(at, error.detail)
  }
}

/** Fails BAD_REQUEST unless it is an object that is a schema; `true` and `false` are handled by the caller. */
export function checkSchema({ schema, at }: Located): SchemaObject {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    return refuse(at, 'expected a schema')
  }
  for (const keyword of Object.keys(schema)) {
    const isKnown =
      annotations.has(keyword) ||
      combinations.has(keyword) ||
      keyword === 'type' ||
      keyword === 'enum' ||
      keyword === 'const' ||
      Object.hasOwn(typesOfKeywords, keyword)
    if (!isKnown) refuse(`${at}/${escapePointer(keyword)}`, 'this keyword cannot be enforced')
  }
  return schema as SchemaObject
}

export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** What the schema's own keywords say, without its references and combinations. */
export function readFacts(schema: SchemaObject, at: string): Facts {
  const types = readTypes(schema, at)
  return {
    at,
    types,
    values: readValues(schema, at),
    string: readString(schema, at),
    number: readNumber(schema, at),
    array: readArray(schema, at),
    object: readObject(schema, at),
  }
}

/** Without `type`, the types that the other keywords speak of: a part of what the schema allows. */
function readTypes(schema: SchemaObject, at: string): Set<JsonType> {
  const { type } = schema
  if (type === undefined) {
    const named = Object.keys(schema).flatMap((keyword) => typesOfKeywords[keyword] ?? [])
    return new Set(named.length > 0 ? named : allTypes)
  }
  const list = Array.isArray(type) ? type : [type]
  for (const name of list) {
    if (!allTypes.includes(name)) refuse(`${at}/type`, `no such type: ${JSON.stringify(name)}`)
  }
  const types = new Set(list as JsonType[])
  if (types.has('number')) types.add('integer')
  return types
}

function readValues(schema: SchemaObject, at: string): readonly unknown[] | null {
  if (schema.const !== undefined) return [schema.const]
  if (schema.enum === undefined) return null
  if (!Array.isArray(schema.enum)) return refuse(`${at}/enum`, 'expected a list')
  return schema.enum
}

function readString(schema: SchemaObject, at: string): StringFacts {
  const { pattern, format } = schema
  const patterns: { source: string; whole: boolean; at: string }[] = []
  if (pattern !== undefined) {
    if (typeof pattern !== 'string') refuse(`${at}/pattern`, 'expected a text')
    patterns.push({ source: pattern, whole: false, at: `${at}/pattern` })
  }
  if (format !== undefined) {
    const source = typeof format === 'string' ? stringFormats[format] : undefined
    if (source === undefined) {
      const known = Object.keys(stringFormats).join(', ')
      return refuse(`${at}/format`, `${JSON.stringify(format)} cannot be enforced, only ${known}`)
    }
    patterns.push({ source, whole: true, at: `${at}/format` })
  }
  const minLength = readCount(schema, 'minLength', at, 0)
  return { minLength, maxLength: readCount(schema, 'maxLength', at, Infinity), patterns }
}

function readNumber(schema: SchemaObject, at: string) {
  if (schema.multipleOf !== undefined && schema.multipleOf !== 1) {
    refuse(`${at}/multipleOf`, 'this keyword cannot be enforced but for 1')
  }
  const min = readBound(schema, 'minimum', at) ?? -Infinity
  const max = readBound(schema, 'maximum', at) ?? Infinity
  const above = readBound(schema, 'exclusiveMinimum', at) ?? -Infinity
  const below = readBound(schema, 'exclusiveMaximum', at) ?? Infinity
  return {
    min: Math.max(min, above),
    max: Math.min(max, below),
    withoutMin: above > -Infinity && above >= min,
    withoutMax: below < Infinity && below <= max,
  }
}

function readArray(schema: SchemaObject, at: string) {
  const { items, prefixItems = [], uniqueItems } = schema
  if (Array.isArray(items)) refuse(`${at}/items`, 'a list of schemas is prefixItems now')
  if (!Array.isArray(prefixItems)) return refuse(`${at}/prefixItems`, 'expected a list of schemas')
  if (uniqueItems !== undefined && typeof uniqueItems !== 'boolean') {
    refuse(`${at}/uniqueItems`, 'expected true or false')
  }
  return {
    prefix: prefixItems.map((schema, i) => [{ schema, at: `${at}/prefixItems/${i}` }]),
    items: items === undefined ? [] : [{ schema: items, at: `${at}/items` }],
    hasItems: items !== undefined,
    min: readCount(schema, 'minItems', at, 0),
    max: readCount(schema, 'maxItems', at, Infinity),
    uniqueAt: uniqueItems === true ? `${at}/uniqueItems` : null,
  }
}

function readObject(schema: SchemaObject, at: string): ObjectFacts {
  const { properties = {}, required = [], additionalProperties, propertyNames } = schema
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) {
    return refuse(`${at}/properties`, 'expected an object of schemas')
  }
  if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
    return refuse(`${at}/required`, 'expected a list of names')
  }
  const entries = Object.entries(properties)
  if (entries.length > limits.properties) refuseCost(`schema ${at}/properties`, limits.properties)
  if (readCount(schema, 'minProperties', at, 0) > required.length) {
    refuse(`${at}/minProperties`, 'this keyword cannot be enforced beyond what is required')
  }
  return {
    properties: new Map(
      entries.map(([name, schema]) => [name, [{ schema, at: `${at}/properties/${escapePointer(name)}` }]]), // prettier-ignore
    ),
    required: new Set(required as string[]),
    additional:
      additionalProperties === undefined
        ? null
        : [{ schema: additionalProperties, at: `${at}/additionalProperties` }],
    names:
      propertyNames === undefined ? [] : [{ schema: propertyNames, at: `${at}/propertyNames` }],
    maxProperties: readCount(schema, 'maxProperties', at, Infinity),
  }
}

function readCount(schema: SchemaObject, keyword: string, at: string, unset: number): number {
  const value = schema[keyword]
  if (value === undefined) return unset
  if (Number.isInteger(value) && (value as number) >= 0) return value as number
  return refuse(`${at}/${keyword}`, 'expected a whole number that is not negative')
}

function readBound(schema: SchemaObject, keyword: string, at: string): number | undefined {
  const value = schema[keyword]
  if (value === undefined || typeof value === 'number') return value
  return refuse(`${at}/${keyword}`, 'expected a number')
}
