/**
 * Attribute values ↔ label text (`helpfulness:4,humor:0`), and the check of requested values.
 * Order is the set's; a missing attribute is left out, never zero. No template text here.
 */
import type { AttributeSet, AttributeSpec, AttributeValues } from '../../schemas/attributes.ts'
import { fail } from '../errors.ts'
import { roundHalfEven } from './round-half-even.ts'

/**
 * `name:int` joined by commas, no spaces, no line feed; '' when no attribute of the set has a value.
 * Values are rounded half to even and clamped to the attribute's range; names outside the set are
 * left out, so that a corpus may carry more attributes than a model has.
 */
export function formatLabel(set: AttributeSet, values: AttributeValues): string {
  const parts: string[] = []
  for (const spec of set) {
    const value = valueOf(values, spec.name)
    if (value !== undefined) parts.push(`${spec.name}:${levelOf(spec, value)}`)
  }
  return parts.join(',')
}

/** The integer level of a value: rounded half to even, clamped. Fails BAD_RECORD on NaN. */
export function levelOf(spec: AttributeSpec, value: number): number {
  if (Number.isNaN(value)) fail('BAD_RECORD', `attribute "${spec.name}": the value is not a number`)
  return Math.min(spec.max, Math.max(spec.min, roundHalfEven(value)))
}

/**
 * The values of a label line; '' gives {}. Any order; each name once, of the set, an integer in range.
 * Fails ATTRIBUTE_UNKNOWN, ATTRIBUTE_OUT_OF_RANGE or BAD_RECORD.
 */
export function parseLabel(set: AttributeSet, text: string): Record<string, number> {
  const values: Record<string, number> = {}
  for (const [name, value] of parseLabelPairs(text)) {
    checkValue(specOf(set, name), value)
    values[name] = value
  }
  return values
}

/** The pairs of a label line without knowing its set. Fails BAD_RECORD; names need not be known. */
export function parseLabelPairs(text: string): [name: string, value: number][] {
  const line = text.trim()
  if (line === '') return []
  const seen = new Set<string>()
  return line.split(',').map((part) => {
    const match = /^([a-z][a-z0-9_]*):(-?\d{1,6})$/.exec(part)
    if (!match) {
      fail(
        'BAD_RECORD',
        `label "${shorten(text)}": expected name:integer, found "${shorten(part)}"`,
      )
    }
    const name = match[1]!
    if (seen.has(name)) fail('BAD_RECORD', `label "${shorten(text)}": "${name}" stands twice`)
    seen.add(name)
    return [name, Number(match[2])]
  })
}

/**
 * Checks requested values: every name of the set, every value a number in the range (fractions allowed).
 * Fails ATTRIBUTE_UNKNOWN or ATTRIBUTE_OUT_OF_RANGE with param `<field>.<name>`.
 */
export function validateAttributes(
  set: AttributeSet,
  values: AttributeValues,
  field = 'attributes',
): void {
  for (const [name, value] of Object.entries(values))
    checkValue(specOf(set, name, field), value, field)
}

function specOf(set: AttributeSet, name: string, field = 'attributes'): AttributeSpec {
  const spec = set.find((candidate) => candidate.name === name)
  if (spec) return spec
  const known = set.length === 0 ? 'none' : set.map((candidate) => candidate.name).join(', ')
  return fail('ATTRIBUTE_UNKNOWN', `"${shorten(name)}"; the model's attributes: ${known}`, {
    param: `${field}.${shorten(name)}`,
  })
}

function checkValue(spec: AttributeSpec, value: number, field = 'attributes'): void {
  if (typeof value === 'number' && value >= spec.min && value <= spec.max) return
  fail(
    'ATTRIBUTE_OUT_OF_RANGE',
    `"${spec.name}": expected a number from ${spec.min} to ${spec.max}, got ${String(value)}`,
    { param: `${field}.${spec.name}` },
  )
}

function valueOf(values: AttributeValues, name: string): number | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
