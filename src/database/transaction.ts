/** Transactions that say so when they were not committed. */
import { sql } from 'drizzle-orm'
import type { Db } from './database.ts'

/**
 * PostgreSQL answers COMMIT after a failed statement with a silent ROLLBACK. When `work` swallowed such an error, the
 * statement after it fails here instead.
 */
export function checkedTransaction<T>(db: Db, work: (tx: Db) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    const result = await work(tx)
    await tx.execute(sql`select 1`)
    return result
  })
}
