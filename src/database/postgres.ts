/** A PostgreSQL server, shared by any number of processes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Client, Pool } from 'pg'
import { SteerError, fail } from '../errors.ts'
import type { Database, Db } from './database.ts'
import { migrateDatabase } from './migrate.ts'
import * as schema from './schema.ts'
import { checkedTransaction } from './transaction.ts'

/** Any number; processes that migrate at the same time wait for each other on it. */
const migrationLock = 7_305_921

/** Codes of a server that is not there yet: it is starting, or its address is not known or not answered yet. */
const notYet = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT', '57P03'])

export interface PostgresOptions {
  url: string
  log: (event: object) => void
  /** How long a server may take to come up, as beside a server that starts with it. */
  patienceMs?: number
}

/** Fails DATABASE_UNAVAILABLE. */
export async function openPostgres({
  url,
  log,
  patienceMs = 30_000,
}: PostgresOptions): Promise<Database> {
  await migrate(url, Date.now() + patienceMs)
  const pool = new Pool({ connectionString: url, application_name: 'steerlm', max: 10 })
  // The pool replaces a lost connection; without a listener Node would end the process.
  pool.on('error', (error) => log({ event: 'database_connection_lost', message: error.message }))
  const db = drizzle({ client: pool, schema }) as unknown as Db
  return {
    kind: 'postgres',
    db,
    transaction: (work) => checkedTransaction(db, work),
    bossOptions: () => ({
      connectionString: url,
      application_name: 'steerlm-jobs',
      max: 4,
      useListenNotify: true,
    }),
    close: () => pool.end(),
  }
}

async function migrate(url: string, deadlineMs: number): Promise<void> {
  const client = await connect(url, deadlineMs)
  try {
    // Of the session: it ends with the connection, however that ends.
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    await migrateDatabase(drizzle({ client, schema }) as unknown as Db)
  } catch (error) {
    if (error instanceof SteerError) throw error
    throw unavailable(error)
  } finally {
    await client.end().catch(() => {})
  }
}

async function connect(url: string, deadlineMs: number): Promise<Client> {
  for (;;) {
    const client = createClient(url)
    client.on('error', () => {})
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => {})
      const code = (error as { code?: string }).code ?? ''
      if (!notYet.has(code) || Date.now() > deadlineMs) throw unavailable(error)
      await sleep(250)
    }
  }
}

function createClient(url: string): Client {
  const isUrl = /^postgres(ql)?:\/\//.test(url) && URL.canParse(url)
  if (!isUrl) {
    fail('BAD_ARGUMENT', 'DATABASE_URL: expected postgres://user:password@host/database', {
      param: 'DATABASE_URL',
    })
  }
  return new Client({ connectionString: url, application_name: 'steerlm-migrations' })
}

/** The address stays out of the message: it holds a password. */
function unavailable(cause: unknown): SteerError {
  const { message, code } = cause as { message?: string; code?: string }
  const detail = `DATABASE_URL: ${message || code || 'no answer'}`
  return new SteerError('DATABASE_UNAVAILABLE', detail, { cause })
}
