/** Brings a database to the tables of `schema.ts`, with the migrations that drizzle-kit generated. */
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readMigrationFiles, type MigrationMeta } from 'drizzle-orm/migrator'
import { fail } from '../errors.ts'
import type { Db } from './database.ts'

export const migrationsFolder = fileURLToPath(new URL('./migrations/', import.meta.url))

/** What of a drizzle database the migrator needs; drizzle does not declare it. */
interface Migratable {
  dialect: { migrate(files: MigrationMeta[], session: unknown, config: object): Promise<void> }
  session: unknown
}

/** All or nothing. Fails DATABASE_UNAVAILABLE when a newer version of steerlm has been here. */
export async function migrateDatabase(db: Db): Promise<void> {
  const migrations = readMigrationFiles({ migrationsFolder })
  await refuseNewer(db, migrations)
  const { dialect, session } = db as unknown as Migratable
  await dialect.migrate(migrations, session, {})
}

async function refuseNewer(db: Db, migrations: readonly MigrationMeta[]): Promise<void> {
  const table = 'drizzle.__drizzle_migrations'
  const found = await db.execute<{ name: string | null }>(sql`select to_regclass(${table}) as name`)
  if (found.rows[0]!.name === null) return
  const { rows } = await db.execute<{ last: string | number | null }>(
    sql`select max(created_at) as last from drizzle.__drizzle_migrations`,
  )
  const newest = migrations.at(-1)!.folderMillis
  if (Number(rows[0]!.last) > newest) {
    fail('DATABASE_UNAVAILABLE', 'a newer version of steerlm has changed its tables')
  }
}
