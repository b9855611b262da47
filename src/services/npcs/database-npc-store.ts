/**
 * Characters in the database: the record in `npcs`, what was said in `conversations` and `conversation_turns`, two
 * turns an exchange. The wall clock at the character's time 0 stands beside its state.
 */
import { and, asc, count, eq, gt, inArray, sql } from 'drizzle-orm'
import type { NpcDefinition, NpcExchange } from '../../../schemas/npcs.ts'
import { schema, type Database, type Db } from '../../database/index.ts'
import type { CharacterState } from './character-state.ts'
import { failFull, failTaken, type NpcRecord, type NpcStore } from './npc-store.ts'

const { npcs, conversations, conversationTurns: turns } = schema

export function createDatabaseNpcStore(database: Database): NpcStore {
  const { db } = database
  return {
    create: (record, limit) =>
      database.transaction(async (tx) => {
        const [found] = await tx.select({ npcs: count() }).from(npcs)
        const id = { id: npcs.id }
        const made = await tx.insert(npcs).values(toRow(record)).onConflictDoNothing().returning(id)
        if (made.length === 0) failTaken(record.id)
        if (found!.npcs >= limit) failFull(limit)
        const { id: npcId, keyId } = record
        await tx.insert(conversations).values({ id: conversationOf(npcId), npcId, keyId })
        await putExchanges(tx, record.id, record.exchanges)
      }),
    async get(id) {
      // One statement, so that state and exchanges are of one moment.
      const said = sql<TurnRow[] | null>`(
        select jsonb_agg(jsonb_build_object(
          'seq', t.seq, 'content', t.content, 'attributes', t.attributes, 'meta', t.meta) order by t.seq)
        from ${turns} t where t.conversation_id = ${conversationOf(id)})`
      const [found] = await db.select({ row: npcs, said }).from(npcs).where(eq(npcs.id, id))
      return found ? { ...fromRow(found.row), exchanges: toExchanges(found.said ?? []) } : null
    },
    async list({ limit, after }) {
      const rows = await db
        .select()
        .from(npcs)
        .where(after === undefined ? undefined : gt(npcs.id, after))
        .orderBy(asc(npcs.id))
        .limit(limit)
      return rows.map(fromRow)
    },
    replace: (next, previous) =>
      database.transaction(async (tx) => {
        const { id: _id, createdAt: _createdAt, ...row } = toRow(next)
        const isOurs = and(eq(npcs.id, next.id), eq(npcs.version, previous.version))
        const done = await tx.update(npcs).set(row).where(isOurs).returning({ id: npcs.id })
        if (done.length === 0) return false
        const kept = new Set(previous.exchanges)
        const changed = next.exchanges.filter((item) => !kept.has(item))
        await dropExchanges(tx, previous, next)
        await putExchanges(tx, next.id, changed)
        return true
      }),
    async delete(id) {
      const gone = await db.delete(npcs).where(eq(npcs.id, id)).returning({ id: npcs.id })
      return gone.length > 0
    },
  }
}

const conversationOf = (npcId: string): string => `npc:${npcId}`

function toRow(record: NpcRecord) {
  return {
    id: record.id,
    name: record.definition.name,
    definition: record.definition,
    state: { ...record.state, epoch_ms: record.epochMs },
    version: record.version,
    keyId: record.keyId,
    createdAt: new Date(record.createdAtMs),
    updatedAt: new Date(record.updatedAtMs),
  }
}

function fromRow(row: typeof npcs.$inferSelect): NpcRecord {
  const { epoch_ms: epochMs, ...state } = row.state as CharacterState & { epoch_ms: number }
  return {
    id: row.id,
    definition: row.definition as NpcDefinition,
    state,
    epochMs,
    exchanges: [],
    version: row.version,
    keyId: row.keyId,
    createdAtMs: row.createdAt.getTime(),
    updatedAtMs: row.updatedAt.getTime(),
  }
}

/** What of an exchange stands with the player's turn, and what with the character's. */
type HeardMeta = Pick<NpcExchange, 'time' | 'events'>
type SaidMeta = Pick<NpcExchange, 'actions' | 'interrupted'>

interface TurnRow {
  seq: number
  content: string
  attributes: Record<string, number> | null
  meta: object | null
}

/** Exchange n is the turns 2n and 2n + 1. */
function toTurns(npcId: string, item: NpcExchange) {
  const { exchange, time, events, message, line, attributes, actions, interrupted } = item
  const conversationId = conversationOf(npcId)
  const heard: HeardMeta = { time, events }
  const said: SaidMeta = { actions, interrupted }
  return [
    {
      conversationId,
      seq: 2 * exchange,
      role: 'user',
      content: message,
      attributes: null,
      meta: { ...heard },
    },
    {
      conversationId,
      seq: 2 * exchange + 1,
      role: 'assistant',
      content: line,
      attributes,
      meta: { ...said },
    },
  ]
}

function toExchanges(rows: readonly TurnRow[]): NpcExchange[] {
  return rows.flatMap((turn, i) => {
    const answer = rows[i + 1]
    if (turn.seq % 2 !== 0 || !answer) return []
    const heard = turn.meta as HeardMeta
    const said = answer.meta as SaidMeta
    return {
      exchange: turn.seq / 2,
      time: heard.time,
      message: turn.content,
      line: answer.content,
      attributes: answer.attributes ?? {},
      events: heard.events,
      actions: said.actions,
      interrupted: said.interrupted,
    }
  })
}

async function putExchanges(tx: Db, npcId: string, items: readonly NpcExchange[]): Promise<void> {
  if (items.length === 0) return
  const { content, attributes, meta } = turns
  const excluded = (column: { name: string }) => sql.raw(`excluded."${column.name}"`)
  await tx
    .insert(turns)
    .values(items.flatMap((item) => toTurns(npcId, item)))
    .onConflictDoUpdate({
      target: [turns.conversationId, turns.seq],
      set: {
        content: excluded(content),
        attributes: excluded(attributes),
        meta: excluded(meta),
      },
    })
}

async function dropExchanges(tx: Db, previous: NpcRecord, next: NpcRecord): Promise<void> {
  const kept = new Set(next.exchanges.map((item) => item.exchange))
  const gone = previous.exchanges.map((item) => item.exchange).filter((number) => !kept.has(number))
  if (gone.length === 0) return
  const seqs = gone.flatMap((number) => [2 * number, 2 * number + 1])
  const own = eq(turns.conversationId, conversationOf(next.id))
  await tx.delete(turns).where(and(own, inArray(turns.seq, seqs)))
}
