import { once, EventEmitter } from 'node:events'
import { sql } from 'drizzle-orm'
import { fromDrizzle, PgBoss } from 'pg-boss'
import t from 'tap'
import { forEachDatabase } from '../fixtures/databases.ts'

t.test('pg-boss keeps its jobs in the same database', (t) =>
  forEachDatabase(t, async (t, open) => {
    const database = await open()
    const boss = new PgBoss(database.bossOptions())
    boss.on('error', (error) => t.fail(String(error)))
    await boss.start()
    await boss.createQueue('greet', { notify: true })

    await t.rejects(
      database.transaction(async (tx) => {
        await boss.send('greet', { name: 'nobody' }, { db: fromDrizzle(tx, sql) })
        throw new Error('roll back')
      }),
      { message: 'roll back' },
    )
    await database.transaction(async (tx) => {
      await boss.send('greet', { name: 'Bram' }, { db: fromDrizzle(tx, sql) })
    })
    const events = new EventEmitter()
    const done = once(events, 'greeted')
    const options = { pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 1 }
    await boss.work<{ name: string }>('greet', options, async ([job]) => {
      events.emit('greeted', job!.data.name)
    })
    t.same(await done, ['Bram'])
    await boss.stop({ graceful: true, timeout: 5000 })
  }),
)
