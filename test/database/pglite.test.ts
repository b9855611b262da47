import { chmodSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase, schema, type Database } from '../../src/database/index.ts'
import { PgliteClient } from '../../src/database/pglite-client.ts'
import { startMaintenance } from '../../src/database/maintenance.ts'
import { pgliteHome } from '../fixtures/databases.ts'

const { npcs } = schema
const insert = (db: Database['db'], id: string) =>
  db.insert(npcs).values({ id, name: id, definition: {}, state: {} })
const names = async (db: Database['db']) => (await db.select().from(npcs)).map(({ id }) => id)

t.test('a folder is open once, in this process and in others', async (t) => {
  const home = await pgliteHome(t)
  chmodSync(join(home, 'database'), 0o755)
  const first = await openDatabase({ home })
  t.equal(statSync(join(home, 'database')).mode & 0o777, 0o700, 'and nobody else may read it')
  const owner = new RegExp(`is open in process ${process.pid}`)
  await t.rejects(openDatabase({ home }), { code: 'DATABASE_LOCKED', detail: owner })
  const child = fork(new URL('writer-process.ts', import.meta.url), [home], { silent: true })
  const [message] = (await once(child, 'message')) as [{ code: string }]
  t.equal(message.code, 'DATABASE_LOCKED')
  await insert(first.db, 'a')
  await first.close()
  await t.rejects(names(first.db), 'closed is closed')
  const second = await openDatabase({ home })
  t.same(await names(second.db), ['a'])
  await second.close()
})

t.test('inside of a transaction the outer handle is refused, not waited for', async (t) => {
  const database = await openDatabase({ home: await pgliteHome(t) })
  t.teardown(() => database.close())
  await t.rejects(
    database.transaction(() => names(database.db)),
    { cause: { code: 'INTERNAL', detail: /use its own handle/ } },
  )
  let leaked: Database['db'] | undefined
  await database.transaction(async (tx) => {
    leaked = tx
  })
  await t.rejects(names(leaked!), { cause: { detail: /the transaction is over/ } })
  t.same(await names(database.db), [])
})

t.test('after PostgreSQL broke down a new one takes over', async (t) => {
  const home = await pgliteHome(t)
  const events: object[] = []
  const database = await openDatabase({ home, log: (event) => events.push(event) })
  t.teardown(() => database.close())
  const { db } = database
  await insert(db, 'kept')
  const log = join(home, 'database/data/pg_wal')
  renameSync(log, `${log}.away`)
  await db.execute(sql`select pg_switch_wal()`)
  await t.rejects(insert(db, 'lost'), { cause: { severity: 'PANIC' } })
  await t.rejects(names(db), { cause: { code: 'DATABASE_UNAVAILABLE' } })
  t.match(events, [{ event: 'database_stopped' }])
  renameSync(`${log}.away`, log)
  t.same(await names(db), ['kept'])
  await insert(db, 'more')
  t.same(await names(db), ['kept', 'more'])
})

t.test('a folder that cannot be opened is a coded error', async (t) => {
  const home = t.testdir()
  const data = join(home, 'database/data')
  mkdirSync(data, { recursive: true })
  writeFileSync(join(data, 'PG_VERSION'), '17\n')
  const older = { code: 'DATABASE_UNAVAILABLE', detail: /is of PostgreSQL 17/ }
  await t.rejects(openDatabase({ home }), older)
  await t.rejects(openDatabase({ home }), older, 'and leaves no lock behind')
  writeFileSync(join(data, 'PG_VERSION'), '18\n')
  const empty = { code: 'DATABASE_UNAVAILABLE', detail: /does not open/ }
  await t.rejects(openDatabase({ home }), empty)
})

t.test('tables of a newer version are left alone', async (t) => {
  const home = await pgliteHome(t)
  const database = await openDatabase({ home })
  await database.db.execute(
    sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 9999999999999)`,
  )
  await database.close()
  await t.rejects(openDatabase({ home }), { code: 'DATABASE_UNAVAILABLE', detail: /newer version/ })
})

t.test('what was written is checkpointed and vacuumed', async (t) => {
  const home = await pgliteHome(t)
  const client = new PgliteClient(join(home, 'database/data'), () => {})
  await client.open()
  await client.exec('create table numbers as select n from generate_series(1, 20000) n')
  const failures: object[] = []
  const stop = startMaintenance(client, (event) => failures.push(event), {
    everyMs: 20,
    checkpointBytes: 2 ** 20,
    vacuumBytes: 2 ** 20,
  })
  const state = async () => {
    const { rows } = await client.query(`select redo_lsn::text as lsn,
      (select count(*)::int from pg_stat_user_tables where last_vacuum is not null) as vacuumed
      from pg_control_checkpoint()`)
    return rows[0]! as { lsn: string; vacuumed: number }
  }
  const before = await state()
  t.equal(before.vacuumed, 0)
  let after = before
  while (after.lsn === before.lsn || after.vacuumed === 0) {
    await client.exec('update numbers set n = n + 1')
    after = await state()
  }
  await stop()
  await client.close()
  t.same(failures, [])
})
