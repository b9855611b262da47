/** What the rest of the program knows of the database. */
import type { ExtractTablesWithRelations } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type * as schema from './schema.ts'

/** What both drivers give for plain SQL. */
interface SqlResult<Row> {
  rows: Row[]
}
interface SqlResultHkt extends PgQueryResultHKT {
  type: SqlResult<this['row']>
}

/** Drizzle over the tables of `schema.ts`; also what a transaction's work gets. */
export type Db = PgDatabase<SqlResultHkt, typeof schema, ExtractTablesWithRelations<typeof schema>>

export interface Database {
  readonly kind: 'pglite' | 'postgres'
  readonly db: Db
  /**
   * Commits when `work` resolves, else rolls back. Inside, use only the handle given: PGlite has one session, and a
   * statement on `db` would wait for the transaction (it is refused). For pg-boss: `{ db: fromDrizzle(tx, sql) }`.
   */
  transaction<T>(work: (tx: Db) => Promise<T>): Promise<T>
  /** Options for `new PgBoss(…)`, so that the queue lives in the same database. Stop the queue before `close`. */
  bossOptions(): BossOptions
  close(): Promise<void>
}

/** The part of pg-boss's options that says where its tables are. */
export interface BossOptions {
  db?: BossDatabase
  connectionString?: string
  application_name?: string
  max?: number
  backend?: 'pglite' | 'postgres'
  useListenNotify: true
}

export interface BossDatabase {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}
