import { eq, sql } from 'drizzle-orm'
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { schema } from '../../src/database/index.ts'
import { forEachDatabase } from '../fixtures/databases.ts'

const { jobs, jobEvents, npcs, usage, conversations, conversationTurns } = schema

t.test('rows of every type come back as they were', (t) =>
  forEachDatabase(t, async (t, open) => {
    const { db, kind } = await open()
    t.equal(kind, open.kind)
    const id = randomUUID()
    const after = [randomUUID(), randomUUID()]
    const spec = { nested: { text: 'ü "quoted"', list: [1, 2.5, null] } }
    const startedAt = new Date('2026-11-24T21:00:00.123Z')
    await db.insert(jobs).values({ id, kind: 'label', spec, status: 'queued', after, startedAt })
    const [row] = await db.select().from(jobs).where(eq(jobs.startedAt, startedAt))
    t.match(row, { id, spec, after, startedAt, priority: 0, cancelRequested: false, name: null })
    t.ok(Math.abs(row!.createdAt.getTime() - Date.now()) < 60_000)
    const found = await db.select().from(jobs).where(eq(jobs.createdAt, row!.createdAt))
    t.equal(found.length, 1, 'a time that was read finds its row')

    const many = 2 ** 40
    await db.insert(usage).values({ keyId: id, day: '2026-11-24', requests: many })
    t.match(await db.select().from(usage), [{ day: '2026-11-24', requests: many, promptTokens: 0 }])
    const { rows } = await db.execute<{ two: number }>(sql`select 1 + ${1}::int as two`)
    t.same(rows, [{ two: 2 }])
  }),
)

t.test('what hangs on a row goes with it', (t) =>
  forEachDatabase(t, async (t, open) => {
    const { db } = await open()
    const id = randomUUID()
    await db.insert(jobs).values({ id, kind: 'train', spec: {}, status: 'queued' })
    await db.insert(jobEvents).values({ jobId: id, seq: 0, type: 'log', data: {} })
    await db.delete(jobs)
    t.same(await db.select().from(jobEvents), [])
    await db.insert(npcs).values({ id: 'bram', name: 'Bram', definition: {}, state: {} })
    await db.insert(conversations).values({ id: 'c', npcId: 'bram' })
    const turn = { conversationId: 'c', seq: 0, role: 'user', content: 'hi' }
    await db.insert(conversationTurns).values(turn)
    await db.delete(npcs)
    t.same(await db.select().from(conversationTurns), [])
  }),
)

t.test('a transaction is all or nothing, and others see it after its end', (t) =>
  forEachDatabase(t, async (t, open) => {
    const database = await open()
    const { db } = database
    const insert = (handle: typeof db, name: string) =>
      handle.insert(npcs).values({ id: name, name, definition: {}, state: {} })
    const names = async () => (await db.select().from(npcs)).map((npc) => npc.id).sort()

    const value = await database.transaction(async (tx) => {
      await insert(tx, 'a')
      return (await tx.select().from(npcs)).length
    })
    t.equal(value, 1)
    await t.rejects(
      database.transaction(async (tx) => {
        await insert(tx, 'b')
        throw new Error('changed my mind')
      }),
      { message: 'changed my mind' },
    )
    t.same(await names(), ['a'])

    const duplicate = await insert(db, 'a').then(
      () => null,
      (error: { cause?: { code?: string } }) => error.cause?.code,
    )
    t.equal(duplicate, '23505', 'the error code of a unique violation')

    await database.transaction(async (tx) => {
      await insert(tx, 'c')
      await tx.transaction((inner) => insert(inner, 'a')).catch(() => {})
      await insert(tx, 'd')
    })
    t.same(await names(), ['a', 'c', 'd'], 'an inner one rolls back alone')

    await t.rejects(
      database.transaction(async (tx) => {
        await insert(tx, 'e')
        await insert(tx, 'a').catch(() => {})
      }),
      'a swallowed error does not look like a commit',
    )
    t.same(await names(), ['a', 'c', 'd'])
  }),
)

t.test('statements side by side with transactions do not mix', (t) =>
  forEachDatabase(t, async (t, open) => {
    const database = await open()
    const { db } = database
    const insert = (handle: typeof db, name: string) =>
      handle.insert(npcs).values({ id: name, name, definition: {}, state: {} })
    const count = 20
    const work = Array.from({ length: count }, async (_, index) => {
      await insert(db, `kept-${index}`)
      await database
        .transaction(async (tx) => {
          await insert(tx, `lost-${index}`)
          await tx.select().from(npcs)
          throw new Error('roll back')
        })
        .catch(() => {})
      await insert(db, `kept-too-${index}`)
    })
    await Promise.all(work)
    const ids = (await db.select().from(npcs)).map((npc) => npc.id)
    t.equal(ids.length, 2 * count)
    t.notOk(ids.some((id) => id.startsWith('lost')))
  }),
)
