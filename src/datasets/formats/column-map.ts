/**
 * The format `columns`: any table, with a map that says which column is what. `prompt`, `response`, `system`,
 * `messages`, `chosen`, `rejected`, `strength`, `id` and `meta.<name>` have their meaning; every other name is an
 * attribute. Columns inside objects are reached by dots (`rating.helpful=scores.help`).
 */
import { ConversationRecord, PreferenceRecord } from '../../../schemas/records.ts'
import { attributeNamePattern } from '../../../schemas/attributes.ts'
import { fail } from '../../errors.ts'
import { fromChatRow } from './chat.ts'
import { rowByRow, type ColumnMap, type RowFormat } from './format.ts'
import { fromPairRow } from './pairs.ts'

const meanings = new Set([
  'prompt',
  'response',
  'system',
  'messages',
  'chosen',
  'rejected',
  'strength',
  'id',
])
const metaPrefix = 'meta.'
const isMeta = (name: string): boolean => name.startsWith(metaPrefix)

/** `prompt=question,response=answer,humor=funny`. Fails BAD_ARGUMENT with what is wrong. */
export function parseColumnMap(text: string): ColumnMap {
  const map = parsePairs(text, 'map')
  const wrong = Object.keys(map).find(
    (name) => !meanings.has(name) && !isMeta(name) && !attributeNamePattern.test(name),
  )
  if (wrong !== undefined) {
    fail('BAD_ARGUMENT', `map: "${wrong}" is no name of an attribute`, { param: 'map' })
  }
  return map
}

/** `lang=en,split=train`: columns and the values that rows have to have there. Fails BAD_ARGUMENT. */
export const parseWhere = (text: string): ColumnMap => parsePairs(text, 'where')

function parsePairs(text: string, param: string): ColumnMap {
  const pairs = text.split(',').map((part) => {
    const at = part.indexOf('=')
    const [name, value] = [part.slice(0, at).trim(), part.slice(at + 1).trim()]
    if (at >= 0 && name !== '' && value !== '') return [name, value] as const
    return fail('BAD_ARGUMENT', `${param}: expected name=value,…, found "${part}"`, { param })
  })
  const map = Object.fromEntries(pairs)
  if (Object.keys(map).length < pairs.length) {
    fail('BAD_ARGUMENT', `${param}: a name stands twice`, { param })
  }
  return map
}

/** The value of a column, `a.b` being `b` of `a` unless a column has that name; undefined where there is none. */
export function columnValue(row: unknown, column: string): unknown {
  if (typeof row !== 'object' || row === null) return undefined
  if (Object.hasOwn(row, column)) return (row as Record<string, unknown>)[column]
  const at = column.indexOf('.')
  if (at < 0) return undefined
  const outer = column.slice(0, at)
  return Object.hasOwn(row, outer)
    ? columnValue((row as Record<string, unknown>)[outer], column.slice(at + 1))
    : undefined
}

/** A value of a column as a text; NaN, which JSON does not have, keeps its name. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? '')
}

export function columnsFormat(map: ColumnMap | undefined): RowFormat {
  if (!map) fail('BAD_ARGUMENT', 'map: the format columns needs it', { param: 'map' })
  const isPair = 'chosen' in map || 'rejected' in map
  const needed = isPair ? ['chosen', 'rejected'] : 'messages' in map ? ['messages'] : ['response']
  for (const name of needed) {
    if (!(name in map)) fail('BAD_ARGUMENT', `map: expected a column for ${name}`, { param: 'map' })
  }
  return isPair
    ? rowByRow('preferences', (row) => toPreference(row, map))
    : rowByRow('conversations', (row) => toConversation(row, map))
}

/** Names of the map that are attributes. */
const attributeNames = (map: ColumnMap): string[] =>
  Object.keys(map).filter((name) => !meanings.has(name) && !isMeta(name))

function toConversation(row: unknown, map: ColumnMap): ConversationRecord {
  const attributes = attributesOf(row, map)
  const { messages } =
    'messages' in map
      ? fromChatRow({ messages: required(row, map, 'messages') })
      : { messages: turns(row, map) }
  const last = messages.at(-1)
  if (attributes && last) last.attributes = { ...last.attributes, ...attributes }
  return ConversationRecord.parse({ ...common(row, map), messages })
}

function turns(row: unknown, map: ColumnMap): ConversationRecord['messages'] {
  const prompt = 'prompt' in map ? text(row, map, 'prompt') : null
  const system = optional(row, map, 'system')
  return [
    ...(system == null ? [] : [{ role: 'system' as const, content: text(row, map, 'system') }]),
    ...(prompt === null ? [] : [{ role: 'user' as const, content: prompt }]),
    { role: 'assistant', content: text(row, map, 'response') },
  ]
}

function toPreference(row: unknown, map: ColumnMap): PreferenceRecord {
  const pair = fromPairRow({
    prompt: optional(row, map, 'prompt'),
    chosen: required(row, map, 'chosen'),
    rejected: required(row, map, 'rejected'),
  })
  const strength = 'strength' in map ? number(row, map, 'strength') : null
  return PreferenceRecord.parse({
    ...pair,
    ...common(row, map),
    ...(strength !== null && { strength: Math.abs(strength) }),
  })
}

function common(row: unknown, map: ColumnMap): { id?: string; meta?: Record<string, unknown> } {
  const id = optional(row, map, 'id')
  const meta = Object.keys(map)
    .filter(isMeta)
    .map((name) => [name.slice(metaPrefix.length), optional(row, map, name)] as const)
    .filter(([, value]) => value != null)
  return {
    ...(id != null && { id: textOf(id) }),
    ...(meta.length > 0 && { meta: Object.fromEntries(meta) }),
  }
}

function attributesOf(row: unknown, map: ColumnMap): Record<string, number> | null {
  const known = attributeNames(map).flatMap((name) => {
    const value = number(row, map, name)
    return value === null ? [] : [[name, value] as const]
  })
  return known.length > 0 ? Object.fromEntries(known) : null
}

/** A column that is not there at all is a mistake of the map, or of the row; an empty one has no value. */
function optional(row: unknown, map: ColumnMap, name: string): unknown {
  const column = map[name]
  if (column === undefined) return null
  const value = columnValue(row, column)
  if (value === undefined) fail('BAD_RECORD', `${name}: the row has no column "${column}"`)
  return value
}

const required = (row: unknown, map: ColumnMap, name: string): unknown =>
  optional(row, map, name) ?? fail('BAD_RECORD', `${name}: column "${map[name]!}" is empty`)

function text(row: unknown, map: ColumnMap, name: string): string {
  const value = required(row, map, name)
  if (typeof value === 'string') return value
  return fail('BAD_RECORD', `${name}: expected a text in "${map[name]!}", found ${typeof value}`)
}

/** A number, also written as text, as CSV has them; null where there is none. */
function number(row: unknown, map: ColumnMap, name: string): number | null {
  const value = optional(row, map, name)
  if (value === null || value === '') return null
  const given = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof given === 'number' && Number.isFinite(given)) return given
  const found = textOf(value).slice(0, 40)
  return fail('BAD_RECORD', `${name}: expected a number in "${map[name]!}", found "${found}"`)
}
