import t from 'tap'
import type { ResponseItem, ResponseObject } from '../../../schemas/responses.ts'
import { createDatabaseResponseStore } from '../../../src/services/responses/database-response-store.ts'
import { forEachDatabase } from '../../fixtures/databases.ts'

const keyA = '00000000-0000-0000-0000-00000000000a'
const keyB = '00000000-0000-0000-0000-00000000000b'
const dayMs = 86_400_000

const stored = (id: string, keyId: string | null, text = 'hi') => {
  const item: ResponseItem = {
    id: `msg_${id}_0`,
    type: 'message',
    role: 'user',
    status: 'completed',
    content: [{ type: 'input_text', text }],
  }
  return { response: { id, model: 'm' } as ResponseObject, items: [item], keyId }
}

t.test('responses are kept for their key, the newest of each', async (t) => {
  await forEachDatabase(t, async (t, open) => {
    const { db } = await open()
    let nowMs = 1_800_000_000_000
    const now = (): number => (nowMs += 1000)
    const store = createDatabaseResponseStore({ db, retention: { perKey: 2, days: 30 }, now })

    const odd = stored('resp_1', keyA, 'NUL \u0000, half a pair \ud800, é')
    await store.put(odd)
    t.same(await store.get('resp_1', keyA), odd, 'every text comes back')
    t.equal(await store.get('resp_1', keyB), null)
    t.equal(await store.get('resp_1', null), null)

    await store.put(stored('resp_free', null))
    for (const id of ['resp_2', 'resp_3']) await store.put(stored(id, keyA))
    t.equal(await store.get('resp_1', keyA), null, 'the oldest went')
    t.ok(await store.get('resp_2', keyA))
    t.ok(await store.get('resp_free', null), 'that of another stayed')

    t.equal(await store.delete('resp_2', keyB), false)
    t.equal(await store.delete('resp_2', keyA), true)
    t.equal(await store.delete('resp_2', keyA), false)

    nowMs += 31 * dayMs
    await store.put(stored('resp_4', keyB))
    t.equal(await store.get('resp_3', keyA), null, 'too old, whosever it is')
    t.ok(await store.get('resp_4', keyB))
  })
})
