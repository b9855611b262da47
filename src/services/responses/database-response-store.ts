/** Responses in the database. */
import { and, desc, eq, inArray, isNull, lt, or } from 'drizzle-orm'
import type { ResponseItem, ResponseObject } from '../../../schemas/responses.ts'
import { schema, type Db } from '../../database/index.ts'
import { defaultRetention, type ResponseStore, type Retention } from './response-store.ts'

const { responses } = schema

export interface DatabaseResponseStoreOptions {
  db: Db
  retention?: Retention
  now?: () => number
}

export function createDatabaseResponseStore({
  db,
  retention = defaultRetention,
  now = Date.now,
}: DatabaseResponseStoreOptions): ResponseStore {
  const isOf = (keyId: string | null) =>
    keyId === null ? isNull(responses.keyId) : eq(responses.keyId, keyId)
  const isOne = (id: string, keyId: string | null) => and(eq(responses.id, id), isOf(keyId))

  /** Of this key what is too much, of every key what is too old. */
  const trim = async (keyId: string | null): Promise<void> => {
    const oldest = new Date(now() - retention.days * 86_400_000)
    const tooMuch = db
      .select({ id: responses.id })
      .from(responses)
      .where(isOf(keyId))
      .orderBy(desc(responses.createdAt), desc(responses.id))
      .offset(retention.perKey)
    await db
      .delete(responses)
      .where(or(lt(responses.createdAt, oldest), inArray(responses.id, tooMuch)))
  }

  return {
    async put({ response, items, keyId }) {
      const row = {
        id: response.id,
        keyId,
        response: JSON.stringify(response),
        items: JSON.stringify(items),
        createdAt: new Date(now()),
      }
      await db.insert(responses).values(row).onConflictDoUpdate({ target: responses.id, set: row })
      await trim(keyId)
    },
    async get(id, keyId) {
      const [row] = await db.select().from(responses).where(isOne(id, keyId))
      if (!row) return null
      return {
        response: JSON.parse(row.response) as ResponseObject,
        items: JSON.parse(row.items) as ResponseItem[],
        keyId: row.keyId,
      }
    },
    async delete(id, keyId) {
      const gone = await db
        .delete(responses)
        .where(isOne(id, keyId))
        .returning({ id: responses.id })
      return gone.length > 0
    },
  }
}
