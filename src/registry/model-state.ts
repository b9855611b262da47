/**
 * What a published model's changes come to: which versions there are and where its aliases point. Numbers of deleted
 * versions are never given again.
 */
import { z } from 'zod'
import { fail } from '../errors.ts'
import { aliasPattern } from './model-name.ts'

const version = z.int().positive()
const alias = z.string().regex(aliasPattern)
/** ISO 8601. */
const at = z.string()

const Change = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('publish'), version, aliases: z.array(alias), at }),
  z.strictObject({ type: z.literal('alias'), alias, version, at }),
  z.strictObject({ type: z.literal('rollback'), alias, version, at }),
  z.strictObject({ type: z.literal('delete-alias'), alias, at }),
  z.strictObject({ type: z.literal('delete-version'), version, at }),
  z.strictObject({ type: z.literal('delete-model'), at }),
])
export type Change = z.infer<typeof Change>

export interface AliasChange {
  readonly version: number
  readonly change: 'publish' | 'alias' | 'rollback'
  readonly at: string
}

export interface AliasState {
  readonly version: number
  /** Versions that a roll back goes to, the nearest last; without deleted ones. */
  readonly earlier: readonly number[]
  /** Oldest first; begins anew where the alias was deleted. */
  readonly history: readonly AliasChange[]
}

export interface ModelState {
  /** How many changes there were. */
  readonly changes: number
  /** Ascending. */
  readonly versions: readonly number[]
  readonly deleted: readonly number[]
  /** The highest number ever given. */
  readonly highest: number
  readonly aliases: ReadonlyMap<string, AliasState>
}

const emptyState: ModelState = {
  changes: 0,
  versions: [],
  deleted: [],
  highest: 0,
  aliases: new Map(),
}

/** Fails BAD_FILE on an entry that is no change. */
export function foldChanges(entries: readonly unknown[], where: string): ModelState {
  return entries.reduce<ModelState>((state, entry, i) => {
    const parsed = Change.safeParse(entry)
    if (parsed.success) return applyChange(state, parsed.data)
    const reason = z.prettifyError(parsed.error).replaceAll(/\s*\n\s*/g, ' ')
    return fail('BAD_FILE', `${where}, change ${i + 1}: ${reason}`, { cause: parsed.error })
  }, emptyState)
}

export function applyChange(state: ModelState, change: Change): ModelState {
  const next = { ...state, changes: state.changes + 1 }
  switch (change.type) {
    case 'publish': {
      const versions = [...state.versions, change.version].sort((a, b) => a - b)
      const highest = Math.max(state.highest, change.version)
      const moves = change.aliases.map((name) => [name, change.version] as const)
      return { ...next, versions, highest, aliases: moved(state, moves, change) }
    }
    case 'alias':
      return { ...next, aliases: moved(state, [[change.alias, change.version]], change) }
    case 'rollback':
      return { ...next, aliases: rolledBack(state, change) }
    case 'delete-alias': {
      const aliases = new Map(state.aliases)
      aliases.delete(change.alias)
      return { ...next, aliases }
    }
    case 'delete-version': {
      const versions = state.versions.filter((number) => number !== change.version)
      const deleted = [...state.deleted, change.version]
      return { ...next, versions, deleted, aliases: withoutVersion(state, change.version) }
    }
    case 'delete-model': {
      const deleted = [...state.deleted, ...state.versions]
      return { ...next, versions: [], deleted, aliases: new Map() }
    }
  }
}

function moved(
  state: ModelState,
  moves: readonly (readonly [alias: string, version: number])[],
  { type, at }: Change,
): Map<string, AliasState> {
  const aliases = new Map(state.aliases)
  for (const [name, version] of moves) {
    const old = aliases.get(name)
    const earlier = old ? [...old.earlier, old.version].filter((n) => n !== version) : []
    const change = type as 'publish' | 'alias'
    const history = [...(old?.history ?? []), { version, change, at }]
    aliases.set(name, { version, earlier, history })
  }
  return aliases
}

function rolledBack(state: ModelState, change: Change & { type: 'rollback' }) {
  const { alias, version, at } = change
  const aliases = new Map(state.aliases)
  const old = aliases.get(alias)
  const earlier = (old?.earlier ?? []).slice(0, -1)
  const history = [...(old?.history ?? []), { version, change: 'rollback' as const, at }]
  return aliases.set(alias, { version, earlier, history })
}

function withoutVersion(state: ModelState, version: number): Map<string, AliasState> {
  const drop = ({ earlier, ...rest }: AliasState): AliasState => ({
    ...rest,
    earlier: earlier.filter((number) => number !== version),
  })
  return new Map([...state.aliases].map(([name, value]) => [name, drop(value)]))
}
