/**
 * The characters of a server: kept in a store, moved by events, speaking through the generating service. Owns who may
 * change a character when: every change is made from the stored version and over no other, lines come one by one.
 */
import { randomBytes } from 'node:crypto'
import type { NpcDefinition, NpcSave } from '../../../schemas/npcs.ts'
import { fail } from '../../errors.ts'
import type { Generator } from '../generation-types.ts'
import type { Models } from '../models.ts'
import { adoptState, advance, applyEvent, initialState } from './character-state.ts'
import { createLineQueue } from './line-queue.ts'
import { describeState, lifeOf, timeOf, type Life } from './npc-life.ts'
import type { NpcRecord, NpcStore } from './npc-store.ts'
import type { Interruption, Line, NewNpc, Npcs } from './npc-types.ts'
import { checkSave } from './save-document.ts'
import { sayLine, type RunningLine } from './say-line.ts'
import { readTemplates } from './templates.ts'

export type * from './npc-types.ts'

export interface NpcsOptions {
  models: Models
  generator: Generator
  store: NpcStore
  /** Milliseconds since 1970. */
  now?: () => number
  /** Characters at most. */
  limit?: number
}

type Make = (record: NpcRecord) => NpcRecord

/** Attempts to make a change that others get in the way of. */
const maxAttempts = 50

export function createNpcs(options: NpcsOptions): Npcs {
  const { models, generator, store, now = Date.now, limit = 10_000 } = options
  const queue = createLineQueue()
  const running = new Map<string, RunningLine>()
  const changes = new Map<string, Promise<void>>()
  const templates = readTemplates()

  const lifeOfRecord = (record: NpcRecord): Life => lifeOf(record.definition, models)

  const need = async (id: string): Promise<NpcRecord> =>
    (await store.get(id)) ?? fail('NPC_NOT_FOUND', `"${id.slice(0, 80)}"`, { param: 'id' })

  /** Makes the change again when another server was quicker. */
  const changeNow = async (id: string, make: Make): Promise<NpcRecord> => {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const previous = await need(id)
      const next = { ...make(previous), version: previous.version + 1, updatedAtMs: now() }
      if (await store.replace(next, previous)) return next
    }
    return fail('NPC_CHANGED', `"${id}", ${maxAttempts} times while this request was tried`)
  }

  /** The changes of a character in the order of asking: an event sent before a line is known to the line. */
  const change = (id: string, make: Make): Promise<NpcRecord> => {
    const result = (changes.get(id) ?? Promise.resolve()).then(() => changeNow(id, make))
    const end = result.then(
      () => {},
      () => {},
    )
    changes.set(id, end)
    void end.then(() => changes.get(id) === end && changes.delete(id))
    return result
  }

  /** The character after the changes asked for so far. */
  const current = async (id: string): Promise<NpcRecord> => {
    await changes.get(id)
    return need(id)
  }

  const create = async ({ id, definition, keyId = null }: NewNpc): Promise<NpcRecord> => {
    const { character } = lifeOf(definition, models)
    const record = newRecord(id, definition, {
      state: initialState(character),
      keyId,
      nowMs: now(),
    })
    await store.create(record, limit)
    return record
  }

  const stateOf = (record: NpcRecord) =>
    describeState(lifeOfRecord(record), record, timeOf(record, now()))

  const shortenLast = async (id: string, { heard, exchange }: Interruption): Promise<Line> => {
    const record = await change(id, (before) => {
      const last = before.exchanges.at(-1)
      if (!last || (exchange !== undefined && exchange !== last.exchange)) {
        const which = exchange === undefined ? 'a line' : `the line of exchange ${exchange}`
        return fail('NOT_FOUND', `${which} to interrupt; the last exchange counts only`)
      }
      const line = heardPart(last.line, heard)
      const isCut = last.interrupted || line.length < last.line.length
      const shortened = { ...last, line, interrupted: isCut }
      return { ...before, exchanges: [...before.exchanges.slice(0, -1), shortened] }
    })
    const { exchange: number, line, attributes, events, actions } = record.exchanges.at(-1)!
    const report = { exchange: number, line, attributes, events, actions, usage: null }
    return { ...report, finishReason: 'interrupted', achieved: null, state: stateOf(record) }
  }

  return {
    templates: () => templates,
    create,
    async createFromTemplate(name, id, keyId) {
      const template = templates.find((item) => item.id === name)
      const known = templates.map((item) => item.id).join(', ')
      if (!template) {
        return fail('NOT_FOUND', `template "${name}"; there are: ${known}`, { param: 'template' })
      }
      return create({ id, definition: template.definition, keyId })
    },
    async list({ limit: wanted, after }) {
      const records = await store.list({ limit: wanted + 1, after })
      return { records: records.slice(0, wanted), hasMore: records.length > wanted }
    },
    get: current,
    async update(id, definition, version) {
      const { character } = lifeOf(definition, models)
      return change(id, (record) => {
        if (version !== undefined && version !== record.version) {
          const detail = `expected version ${version}, it is at ${record.version}`
          fail('NPC_CHANGED', detail, { param: 'version' })
        }
        const time = timeOf(record, now())
        const state = adoptState(character, advance(record.state, time))
        return { ...record, definition, state, epochMs: now() - state.time * 1000 }
      })
    },
    async delete(id) {
      if (!(await store.delete(id))) await need(id)
    },
    state: async (id) => stateOf(await current(id)),
    async event(id, event, time) {
      const record = await change(id, (before) => {
        const at = timeOf(before, now(), time)
        const state = applyEvent(lifeOfRecord(before).character, before.state, event, at)
        return { ...before, state }
      })
      return describeState(lifeOfRecord(record), record, record.state.time)
    },
    async *say(id, request, signal) {
      await need(id) // an unknown character has no queue
      const leave = await queue.enter(id, signal)
      try {
        const parts = {
          generator,
          now,
          change,
          lifeOf: lifeOfRecord,
          running: (line: RunningLine | null) =>
            void (line ? running.set(id, line) : running.delete(id)),
        }
        yield* sayLine(parts, await current(id), request, signal)
      } finally {
        leave()
      }
    },
    async interrupt(id, interruption) {
      const { heard, exchange } = interruption
      const line = running.get(id)
      const isMeant = line && (exchange === undefined || exchange === line.exchange)
      if (isMeant && line.stop(heardPart(line.text, heard))) return line.finished
      if (isMeant) await line.finished
      return shortenLast(id, interruption)
    },
    async exchanges(id, { limit: wanted, before = Infinity }) {
      const { exchanges } = await current(id)
      const found = exchanges.filter((item) => item.exchange < before)
      return { exchanges: found.slice(-wanted), hasMore: found.length > wanted }
    },
    async save(id) {
      const record = await current(id)
      const { definition, exchanges } = record
      const state = advance(record.state, timeOf(record, now()))
      const saved_at = Math.floor(now() / 1000)
      const head = { object: 'npc.save', schema: 1, saved_at, id } as const
      return { ...head, definition, state, exchanges: [...exchanges] }
    },
    load: (save, { id, replace, keyId = null }) => loadSave(save, id, replace === true, keyId),
  }

  async function loadSave(
    save: NpcSave,
    id: string | undefined,
    mayReplace: boolean,
    keyId: string | null,
  ): Promise<NpcRecord> {
    const { definition, state, exchanges } = save
    checkSave(save, lifeOf(definition, models).character)
    const record = newRecord(id, definition, { state, keyId, nowMs: now() })
    const loaded = { ...record, exchanges }
    if (mayReplace && (await store.get(record.id))) {
      return change(record.id, (before) => ({
        ...before,
        definition,
        state,
        exchanges,
        epochMs: loaded.epochMs,
      }))
    }
    await store.create(loaded, limit)
    return loaded
  }
}

/** The time goes on where the state left it. */
function newRecord(
  id: string | undefined,
  definition: NpcDefinition,
  { state, keyId, nowMs }: { state: NpcRecord['state']; keyId: string | null; nowMs: number },
): NpcRecord {
  return {
    id: id ?? `npc_${randomBytes(12).toString('hex')}`,
    definition,
    state,
    epochMs: nowMs - state.time * 1000,
    exchanges: [],
    version: 1,
    keyId,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
}

/** What was heard of a text. Fails BAD_REQUEST when `heard` is not its beginning. */
export function heardPart(text: string, heard: string | number | undefined): string {
  if (heard === undefined) return text
  if (typeof heard === 'number') {
    const part = text.slice(0, heard)
    return /[\uD800-\uDBFF]$/.test(part) ? part.slice(0, -1) : part
  }
  if (!text.startsWith(heard)) {
    fail('BAD_REQUEST', 'heard: expected the beginning of the line', { param: 'heard' })
  }
  return heard
}
