/**
 * Requests and tokens of each key by day, gathered here and written every few seconds and at the end: one row a key
 * instead of one a request. A crash loses what was not written yet.
 */
import { and, desc, eq, gte, inArray, lte, sql } from 'drizzle-orm'
import { schema, type Db } from '../database/index.ts'

const { apiKeys, usage } = schema

export type UsageRecord = typeof usage.$inferSelect
type Counts = Omit<UsageRecord, 'keyId' | 'day'>

export interface UsageFilter {
  keyId?: string
  /** Days, both included. */
  from?: string
  to?: string
}

export interface Usage {
  add(keyId: string, counts: Partial<Counts>): void
  /** Newest day first, what was not written yet included. */
  list(filter: UsageFilter): Promise<UsageRecord[]>
  /** Writes what there is. Rejects when the database does; the counts are kept then. */
  flush(): Promise<void>
  /** Flushes and stops the timer. */
  close(): Promise<void>
}

export interface UsageOptions {
  db: Db
  log?: (event: object) => void
  flushMs?: number
  now?: () => number
}

export function createUsage({
  db,
  log = () => {},
  flushMs = 5000,
  now = Date.now,
}: UsageOptions): Usage {
  let gathered = new Map<string, UsageRecord>()
  let writing: Promise<void> = Promise.resolve()

  const add = ({ keyId, day, requests, promptTokens, completionTokens }: UsageRecord): void => {
    const name = `${keyId} ${day}`
    const sum = gathered.get(name) ?? { ...nothing, keyId, day }
    sum.requests += requests
    sum.promptTokens += promptTokens
    sum.completionTokens += completionTokens
    gathered.set(name, sum)
  }

  const write = async (): Promise<void> => {
    const rows = [...gathered.values()]
    if (rows.length === 0) return
    gathered = new Map()
    try {
      await addRows(db, rows, new Date(now()))
    } catch (error) {
      for (const row of rows) add(row)
      throw error
    }
  }

  const flush = (): Promise<void> => {
    const next = writing.then(write)
    writing = next.catch(() => {})
    return next
  }

  const timer = setInterval(() => {
    flush().catch((error: unknown) => log({ event: 'usage_not_written', error: String(error) }))
  }, flushMs)
  timer.unref()

  return {
    add(keyId, counts) {
      add({ ...nothing, ...counts, keyId, day: new Date(now()).toISOString().slice(0, 10) })
    },
    async list({ keyId, from, to }) {
      await flush()
      return db
        .select()
        .from(usage)
        .where(
          and(
            keyId === undefined ? undefined : eq(usage.keyId, keyId),
            from === undefined ? undefined : gte(usage.day, from),
            to === undefined ? undefined : lte(usage.day, to),
          ),
        )
        .orderBy(desc(usage.day), usage.keyId)
    },
    flush,
    async close() {
      clearInterval(timer)
      await flush()
    },
  }
}

const nothing: Counts = { requests: 0, promptTokens: 0, completionTokens: 0 }

async function addRows(db: Db, rows: UsageRecord[], at: Date): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .insert(usage)
      // Servers that write together take the rows in the same order, and so cannot block each other.
      .values(rows.toSorted((a, b) => (a.keyId + a.day < b.keyId + b.day ? -1 : 1)))
      .onConflictDoUpdate({
        target: [usage.keyId, usage.day],
        set: {
          requests: sql`${usage.requests} + excluded.requests`,
          promptTokens: sql`${usage.promptTokens} + excluded.prompt_tokens`,
          completionTokens: sql`${usage.completionTokens} + excluded.completion_tokens`,
        },
      })
    const ids = [...new Set(rows.map((row) => row.keyId))].sort()
    await tx.update(apiKeys).set({ lastUsedAt: at }).where(inArray(apiKeys.id, ids))
  })
}
