/** The default database: PGlite in `<home>/database/`, for one process at a time. */
import { chmod, mkdir, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { drizzle } from 'drizzle-orm/pglite'
import { fromPglite } from 'pg-boss'
import { fail } from '../errors.ts'
import { replaceDirAtomic } from '../util/atomic-file.ts'
import type { Database, Db } from './database.ts'
import { lockFolder } from './folder-lock.ts'
import { startMaintenance } from './maintenance.ts'
import { migrateDatabase } from './migrate.ts'
import { PgliteClient } from './pglite-client.ts'
import * as schema from './schema.ts'
import { checkedTransaction } from './transaction.ts'

/** The major version of PostgreSQL inside PGlite; folders of another one cannot be opened. */
export const pgliteMajor = '18'

/** Fails DATABASE_LOCKED or DATABASE_UNAVAILABLE. */
export async function openPglite(home: string, log: (event: object) => void): Promise<Database> {
  const dir = join(home, 'database')
  await makePrivateFolder(dir)
  const unlock = lockFolder(dir)
  const client = new PgliteClient(join(dir, 'data'), log)
  try {
    await prepareFolder(dir)
    await client.open()
    const db = drizzle({ client: client as unknown as PGlite, schema }) as unknown as Db
    await migrateDatabase(db)
    const stopMaintenance = startMaintenance(client, log)
    return {
      kind: 'pglite',
      db,
      transaction: (work) => checkedTransaction(db, work),
      bossOptions: () => ({ db: fromPglite(client), backend: 'pglite', useListenNotify: true }),
      async close() {
        await stopMaintenance()
        await client.close()
        unlock()
      },
    }
  } catch (error) {
    await client.close()
    unlock()
    throw error
  }
}

/** PostgreSQL's files in WebAssembly are readable by all, so the folder must not be. */
async function makePrivateFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await chmod(dir, 0o700)
  } catch (cause) {
    fail('DATABASE_UNAVAILABLE', `${dir}: ${(cause as Error).message}`, { cause })
  }
}

/** Creates the data folder beside its place and moves it there, so that it is whole or absent. */
async function prepareFolder(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith('.')) await rm(join(dir, name), { recursive: true, force: true })
  }
  const data = join(dir, 'data')
  const version = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => null)
  if (version === null) return createData(dir, data)
  if (version.trim() === pgliteMajor) return
  fail(
    'DATABASE_UNAVAILABLE',
    `${data} is of PostgreSQL ${version.trim()}, this version of steerlm has ${pgliteMajor}`,
  )
}

async function createData(dir: string, data: string): Promise<void> {
  const part = join(dir, '.data.part')
  const lite = await PGlite.create(part)
  await lite.close()
  // Puts all of it on the disk, too.
  await replaceDirAtomic(part, data)
}
