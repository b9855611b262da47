import { readFile } from 'node:fs/promises'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase, schema } from '../../src/database/index.ts'
import { postgresUrl } from '../fixtures/databases.ts'

const migrations = new URL('../../src/database/migrations/', import.meta.url)

t.test('the migrations give the tables of the schema (npm run migrations)', async (t) => {
  const journal = JSON.parse(await readFile(new URL('meta/_journal.json', migrations), 'utf8')) as {
    entries: { idx: number; tag: string; when: number }[]
  }
  const last = journal.entries.at(-1)!
  const number = String(last.idx).padStart(4, '0')
  const snapshot = JSON.parse(
    await readFile(new URL(`meta/${number}_snapshot.json`, migrations), 'utf8'),
  ) as Parameters<typeof generateMigration>[0]
  t.same(await generateMigration(snapshot, generateDrizzleJson(schema, snapshot.id)), [])
  // The migrator goes by time: an older one after a newer one would never run.
  const times = journal.entries.map(({ when }) => when)
  t.same(
    times,
    times.toSorted((a, b) => a - b),
  )
})

t.test('servers that start together migrate one after the other, and once', async (t) => {
  const server = await postgresUrl()
  if ('reason' in server) return void t.pass('postgres', { skip: server.reason })
  const { url } = server
  const open = await Promise.all([1, 2, 3].map(() => openDatabase({ home: '', url })))
  const { rows } = await open[0]!.db.execute<{ times: number }>(
    sql`select count(*)::int as times from drizzle.__drizzle_migrations`,
  )
  await Promise.all(open.map((database) => database.close()))
  t.same(rows, [{ times: 1 }])
})

t.test(
  'a server that is not there, or refuses, is a coded error without the password',
  async (t) => {
    const url = 'postgres://me:secret@127.0.0.1:1/nothing'
    const { openPostgres } = await import('../../src/database/postgres.ts')
    await t.rejects(openPostgres({ url, log: () => {}, patienceMs: 300 }), (error: Error) => {
      t.match(error, { code: 'DATABASE_UNAVAILABLE', message: /DATABASE_URL: .*ECONNREFUSED/ })
      t.notMatch(error.message, /secret/)
    })
    await t.rejects(openDatabase({ home: '', url: 'not a url' }), { code: 'BAD_ARGUMENT' })
  },
)
