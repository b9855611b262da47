import { readdirSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '../../src/database/index.ts'
import { openPostgres } from '../../src/database/postgres.ts'
import { toErrorResponse } from '../../src/http/error-response.ts'
import { postgresUrl } from '../fixtures/databases.ts'

const folder = new URL('../../src/database/migrations/', import.meta.url)
const migrations = readdirSync(folder).filter((name) => name.endsWith('.sql'))

t.test('servers that start together migrate one after the other, and once', async (t) => {
  const server = await postgresUrl()
  if ('reason' in server) return void t.pass('postgres', { skip: server.reason })
  const { url } = server
  const open = await Promise.all([1, 2, 3].map(() => openDatabase({ home: '', url })))
  const { rows } = await open[0]!.db.execute<{ times: number }>(
    sql`select count(*)::int as times from drizzle.__drizzle_migrations`,
  )
  await Promise.all(open.map((database) => database.close()))
  t.same(rows, [{ times: migrations.length }])
})

t.test(
  'a server that is not there, or refuses, is a coded error without the password',
  async (t) => {
    const url = 'postgres://me:secret@127.0.0.1:1/nothing'
    const error = await openPostgres({ url, log: () => {}, patienceMs: 300 }).catch((e: Error) => e)
    t.match(error, { code: 'DATABASE_UNAVAILABLE', message: /DATABASE_URL: .*ECONNREFUSED/ })
    t.notMatch((error as Error).message, /secret/)
    await t.rejects(openDatabase({ home: '', url: 'not a url' }), { code: 'BAD_ARGUMENT' })
  },
)

t.test('a lost connection is a 503, and the next statement has a new one', async (t) => {
  const server = await postgresUrl()
  if ('reason' in server) return void t.pass('postgres', { skip: server.reason })
  const { url } = server
  const events: object[] = []
  const [database, other] = await Promise.all([
    openDatabase({ home: '', url, log: (event) => events.push(event) }),
    openDatabase({ home: '', url }),
  ])
  t.teardown(() => Promise.all([database.close(), other.close()]))
  const failed = database.db.execute(sql`select pg_sleep(60)`).then(
    () => null,
    (error: unknown) => toErrorResponse(error),
  )
  const ended = async () => {
    const { rows } = await other.db.execute(sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query like '%pg_sleep%' and pid <> pg_backend_pid()`)
    return rows.length > 0
  }
  while (!(await ended())) await new Promise(setImmediate)
  t.match(await failed, { status: 503, body: { error: { code: 'database_unavailable' } } })
  t.same((await database.db.execute(sql`select 1 as one`)).rows, [{ one: 1 }])

  // An idle one: the pool notices, the process lives on.
  await other.db.execute(sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`)
  while (events.length === 0) await new Promise(setImmediate)
  t.match(events, [{ event: 'database_connection_lost' }])
  t.same((await database.db.execute(sql`select 1 as one`)).rows, [{ one: 1 }])
})
