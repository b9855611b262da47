/** The database: jobs, keys, usage, characters, conversations, responses. Files hold everything else. */
import type { Database } from './database.ts'
import { openPglite } from './pglite.ts'
import { openPostgres } from './postgres.ts'

export { isLostConnection } from './lost-connection.ts'
export type { BossOptions, Database, Db } from './database.ts'
export * as schema from './schema.ts'

export interface OpenDatabaseOptions {
  /** The data folder; PGlite lives in its `database/`. */
  home: string
  /** A PostgreSQL server to use instead. */
  url?: string
  /** Takes what goes wrong in the background. */
  log?: (event: object) => void
}

/**
 * Opens the database with its tables up to date. The caller closes it. Fails DATABASE_LOCKED when another process
 * has PGlite's folder open, DATABASE_UNAVAILABLE when it cannot be opened. Closing twice is no error.
 */
export async function openDatabase({
  home,
  url,
  log = () => {},
}: OpenDatabaseOptions): Promise<Database> {
  const database = await (url ? openPostgres({ url, log }) : openPglite(home, log))
  let closing: Promise<void> | undefined
  return { ...database, close: () => (closing ??= database.close()) }
}
