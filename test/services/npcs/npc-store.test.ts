/** What every store of characters does, in memory and in both databases. */
import t, { type Test } from 'tap'
import type { NpcExchange } from '../../../schemas/npcs.ts'
import { initialState } from '../../../src/services/npcs/character-state.ts'
import { createDatabaseNpcStore } from '../../../src/services/npcs/database-npc-store.ts'
import {
  createMemoryNpcStore,
  type NpcRecord,
  type NpcStore,
} from '../../../src/services/npcs/npc-store.ts'
import { forEachDatabase } from '../../fixtures/databases.ts'
import { build, guard } from './definitions.ts'

const exchange = (n: number, more: Partial<NpcExchange> = {}): NpcExchange => ({
  exchange: n,
  time: n + 0.1 + 0.2, // 0.30000000000000004: every bit counts
  message: `message ${n} "ä" 😀 \u2028`,
  line: `line ${n}`,
  attributes: { helpfulness: 1.2345, toxicity: 0 },
  events: ['insulted'],
  actions: [{ type: 'give_item', id: 'give_item', args: { item: 'key', count: 1, cursed: false } }],
  interrupted: n % 2 === 1,
  ...more,
})

const record = (id: string, more: Partial<NpcRecord> = {}): NpcRecord => ({
  id,
  definition: guard,
  state: { ...initialState(build(), 1 / 3), recent: ['insulted'], actions: { smile: 0.1 + 0.2 } },
  epochMs: 1_800_000_000_000.25,
  exchanges: [exchange(0), exchange(1)],
  version: 1,
  keyId: null,
  createdAtMs: 1_800_000_000_123,
  updatedAtMs: 1_800_000_000_456,
  ...more,
})

async function contract(t: Test, store: NpcStore): Promise<void> {
  const first = record('b')
  await store.create(first, 3)
  t.same(await store.get('b'), first, 'it comes back bit for bit')
  t.equal(await store.get('nobody'), null)
  await t.rejects(store.create(first, 3), { code: 'ALREADY_EXISTS', param: 'id' })

  await store.create(record('a', { exchanges: [] }), 3)
  t.same((await store.get('a'))!.exchanges, [])
  await store.create(record('c'), 3)
  await t.rejects(store.create(record('d'), 3), { code: 'NPC_LIMIT_REACHED' })
  t.equal(await store.get('d'), null, 'a refused one leaves nothing')
  const ids = async (after?: string) =>
    (await store.list({ limit: 2, after })).map((item) => [item.id, item.definition.name])
  t.same(await ids(), [['a', 'Torvald'], ['b', 'Torvald']]) // prettier-ignore
  t.same(await ids('b'), [['c', 'Torvald']])

  const before = (await store.get('b'))!
  const next: NpcRecord = {
    ...before,
    version: 2,
    updatedAtMs: 1_800_000_001_000,
    state: { ...before.state, exchanges: 3 },
    // The first is forgotten, the second shortened, a third comes.
    exchanges: [exchange(1, { line: 'l', interrupted: true }), exchange(2)],
  }
  t.equal(await store.replace(next, before), true)
  t.same(await store.get('b'), next)
  t.equal(await store.replace({ ...next, exchanges: [] }, before), false, 'that version is gone')
  t.same(await store.get('b'), next, 'and nothing of it was done')
  t.same((await store.get('c'))!.exchanges, record('c').exchanges, 'others are not touched')

  const race = await Promise.all(
    Array.from({ length: 5 }, (_, i) =>
      store.replace({ ...next, version: 3, epochMs: i }, next).catch(() => false),
    ),
  )
  t.equal(race.filter(Boolean).length, 1, 'of five writers one is first')

  t.equal(await store.delete('b'), true)
  t.equal(await store.delete('b'), false)
  t.equal(await store.get('b'), null)
  t.equal(await store.replace({ ...next, version: 4 }, { ...next, version: 3 }), false)
  await store.create(record('b', { exchanges: [] }), 3)
  t.same((await store.get('b'))!.exchanges, [], 'a new one of the name has no memory of the old')
}

t.test('memory', async (t) => contract(t, createMemoryNpcStore()))

t.test('database', async (t) =>
  forEachDatabase(t, async (t, open) => contract(t, createDatabaseNpcStore(await open()))),
)
