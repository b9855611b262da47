import { randomUUID } from 'node:crypto'
import t from 'tap'
import { schema } from '../../src/database/index.ts'
import { createKeys, environmentKeyId } from '../../src/services/keys.ts'
import { createUsage } from '../../src/services/usage.ts'
import { forEachDatabase, openTestDatabase } from '../fixtures/databases.ts'

const minute = 60_000

t.test('keys and usage on both databases', (t) =>
  forEachDatabase(t, async (t, open) => {
    const { db } = await open()
    let now = Date.parse('2026-11-24T23:59:00Z')
    const clock = { db, now: () => now }
    const keys = createKeys(clock)
    t.equal(await keys.hasAny(), false)

    await t.test('the database never sees the key', async (t) => {
      const { key, record } = await keys.create({ name: 'game', scopes: ['npcs', 'generate', 'npcs'] }) // prettier-ignore
      t.match(key, /^sk-steer-[\w-]{43}$/)
      t.ok(key.startsWith(record.prefix) && record.prefix.length < 20)
      t.same(record.scopes, ['npcs', 'generate'])
      t.notOk(JSON.stringify(await db.select().from(schema.apiKeys)).includes(key))
      t.notOk('hash' in record)
      t.match(await keys.verify(key), { id: record.id, name: 'game', scopes: ['npcs', 'generate'] })
      t.equal(await keys.verify(`${key}x`), null)
      t.equal(await keys.hasAny(), true)
      t.same(await keys.get(record.id), record)
      t.same(await keys.list(), [record])
    })

    await t.test('an expired key stops to the millisecond, remembered or not', async (t) => {
      const expiresAt = new Date(now + minute)
      const { key } = await keys.create({ name: 'short', scopes: ['data'], expiresAt })
      now += minute - 1
      t.ok(await keys.verify(key))
      now += 1
      t.equal(await keys.verify(key), null)
      t.equal(await createKeys(clock).verify(key), null)
    })

    await t.test(
      'a revoked key stops at once here, and elsewhere when its memory ends',
      async (t) => {
        const other = createKeys(clock)
        const { key, record } = await keys.create({ name: 'gone', scopes: ['data'] })
        t.ok(await keys.verify(key))
        t.ok(await other.verify(key))
        const revoked = await keys.revoke(record.id)
        t.same(revoked.revokedAt, new Date(now))
        t.equal(await keys.verify(key), null)
        t.ok(await other.verify(key))
        now += 5000
        t.equal(await other.verify(key), null)
        t.same((await keys.revoke(record.id)).revokedAt, revoked.revokedAt, 'twice is no error')
        for (const id of [randomUUID(), 'nonsense']) {
          await t.rejects(keys.revoke(id), { code: 'NOT_FOUND' })
          await t.rejects(keys.get(id), { code: 'NOT_FOUND' })
        }
      },
    )

    await t.test('usage is summed by key and day, and survives a failed write', async (t) => {
      now = Date.parse('2026-11-24T23:59:59Z')
      const { record } = await keys.create({ name: 'counted', scopes: ['data'] })
      const usage = createUsage(clock)
      const other = createUsage(clock)
      for (let i = 0; i < 10; i++) usage.add(record.id, { requests: 1 })
      usage.add(record.id, { promptTokens: 5, completionTokens: 3 })
      await Promise.all([usage.flush(), usage.flush()])
      other.add(record.id, { requests: 1, completionTokens: 2 })
      now += 2000
      usage.add(record.id, { requests: 1 })
      await other.close()
      const filter = { keyId: record.id }
      t.same(await usage.list(filter), [
        { keyId: record.id, day: '2026-11-25', requests: 1, promptTokens: 0, completionTokens: 0 },
        { keyId: record.id, day: '2026-11-24', requests: 11, promptTokens: 5, completionTokens: 5 },
      ])
      t.equal((await usage.list({ ...filter, from: '2026-11-25' })).length, 1)
      t.equal((await usage.list({ to: '2026-11-23' })).length, 0)
      t.same((await keys.get(record.id)).lastUsedAt, new Date(now))
      await usage.close()
    })
  }),
)

t.test('an answer that was under way during a revocation is not remembered', async (t) => {
  const { db } = await openTestDatabase(t)
  const keys = createKeys({ db })
  const { key, record } = await keys.create({ name: 'raced', scopes: ['data'] })
  const underWay = keys.verify(key)
  await Promise.all([underWay, keys.revoke(record.id)])
  t.equal(await keys.verify(key), null)
})

t.test('requests that come together ask the database once', async (t) => {
  const { db } = await openTestDatabase(t)
  let selects = 0
  const counting = new Proxy(db, {
    get(target, name) {
      if (name === 'select') selects += 1
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const keys = createKeys({ db: counting })
  await Promise.all(Array.from({ length: 20 }, () => keys.verify('sk-steer-unknown')))
  t.equal(selects, 1)
})

t.test('the key from the environment is an admin, whatever the database says', async (t) => {
  const database = await openTestDatabase(t)
  const keys = createKeys({ db: database.db, adminKey: 'correct horse battery staple' })
  t.equal(await keys.hasAny(), true)
  const caller = await keys.verify('correct horse battery staple')
  t.match(caller, { id: environmentKeyId, scopes: ['admin'] })
  t.equal(await keys.verify('correct horse battery stapl'), null)
})

t.test('counts are kept until the database takes them', async (t) => {
  const { db } = await openTestDatabase(t)
  let isDown = true
  const flaky = new Proxy(db, {
    get(target, name) {
      if (name === 'transaction' && isDown) return () => Promise.reject(new Error('down'))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const usage = createUsage({ db: flaky })
  const keyId = randomUUID()
  usage.add(keyId, { requests: 2 })
  await t.rejects(usage.flush(), { message: 'down' })
  usage.add(keyId, { requests: 1 })
  isDown = false
  t.match(await usage.list({ keyId }), [{ requests: 3 }])
  await usage.close()
})
