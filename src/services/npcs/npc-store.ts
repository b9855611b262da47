/**
 * Where characters are kept. One record holds everything of a character; a record is written whole or not at all, and
 * only over the version it was made from.
 */
import type { NpcDefinition, NpcExchange } from '../../../schemas/npcs.ts'
import { fail } from '../../errors.ts'
import type { CharacterState } from './character-state.ts'

export interface NpcRecord {
  readonly id: string
  readonly definition: NpcDefinition
  readonly state: CharacterState
  /** The wall clock, in milliseconds since 1970, at the character's time 0. Not used with a game clock. */
  readonly epochMs: number
  /** The latest exchanges, oldest first. */
  readonly exchanges: readonly NpcExchange[]
  /** Counts every change, from 1. */
  readonly version: number
  /** The API key that made it. */
  readonly keyId: string | null
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

export interface NpcStore {
  /** Fails ALREADY_EXISTS when the id is taken, NPC_LIMIT_REACHED when there are `limit` characters. */
  create(record: NpcRecord, limit: number): Promise<void>
  get(id: string): Promise<NpcRecord | null>
  /** By id; those after `after`. Exchanges may be left out. */
  list(options: { limit: number; after?: string }): Promise<NpcRecord[]>
  /**
   * Puts `next` in the place of `previous`; false, and nothing is done, when that is no longer the stored version.
   * `next.version` is `previous.version + 1`.
   */
  replace(next: NpcRecord, previous: NpcRecord): Promise<boolean>
  /** False when there was none. */
  delete(id: string): Promise<boolean>
}

/** Keeps characters as long as the process lives. */
export function createMemoryNpcStore(): NpcStore {
  const records = new Map<string, NpcRecord>()
  return {
    async create(record, limit) {
      if (records.has(record.id)) failTaken(record.id)
      if (records.size >= limit) failFull(limit)
      records.set(record.id, structuredClone(record))
    },
    get: async (id) => structuredClone(records.get(id) ?? null),
    async list({ limit, after = '' }) {
      const ids = [...records.keys()].filter((id) => id > after).sort()
      return ids.slice(0, limit).map((id) => structuredClone(records.get(id)!))
    },
    async replace(next, previous) {
      if (records.get(next.id)?.version !== previous.version) return false
      records.set(next.id, structuredClone(next))
      return true
    },
    delete: async (id) => records.delete(id),
  }
}

export function failTaken(id: string): never {
  return fail('ALREADY_EXISTS', `a character "${id}"`, { param: 'id' })
}

export function failFull(limit: number): never {
  return fail('NPC_LIMIT_REACHED', `${limit}; delete one first`)
}
