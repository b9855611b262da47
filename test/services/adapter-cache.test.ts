import t from 'tap'
import { AdapterCache } from '../../src/services/adapter-cache.ts'

function place(limit?: number) {
  const loaded = new Map<number, string>()
  let last = 0
  let failure: Error | null = null
  const loads: string[] = []
  const engine = {
    async loadAdapter(dir: string) {
      loads.push(dir)
      await Promise.resolve()
      if (failure) throw failure
      loaded.set(++last, dir)
      return last
    },
    unloadAdapter: (id: number) => void loaded.delete(id),
  }
  return {
    cache: new AdapterCache(engine, limit),
    loads,
    held: () => [...loaded.values()],
    fail: (error: Error | null) => (failure = error),
  }
}
const ref = (dir: string, version = 1) => ({ dir, key: `${dir}#${version}` })
const settled = () => new Promise((resolve) => setImmediate(resolve))

t.test('an adapter is read once, however many ask at the same time', async (t) => {
  const { cache, loads } = place()
  const [first, second] = await Promise.all([cache.acquire(ref('a')), cache.acquire(ref('a'))])
  t.equal(first.id, second.id)
  first.release()
  second.release()
  t.equal((await cache.acquire(ref('a'))).id, first.id, 'it stays for a while')
  t.same(loads, ['a'])
})

t.test('beyond the limit the one unused longest goes, and none that is in use', async (t) => {
  const { cache, held } = place(2)
  const [a, b, c] = [await cache.acquire(ref('a')), await cache.acquire(ref('b')), await cache.acquire(ref('c'))] // prettier-ignore
  await settled()
  t.same(held(), ['a', 'b', 'c'], 'all are in use')
  b.release()
  await settled()
  t.same(held(), ['a', 'c'])
  a.release()
  a.release()
  c.release()
  await settled()
  t.same(held(), ['a', 'c'], 'within the limit they stay')
  ;(await cache.acquire(ref('d'))).release()
  await settled()
  t.same(held(), ['c', 'd'])
})

t.test('replaced contents go as soon as nobody uses them', async (t) => {
  const { cache, held } = place()
  const old = await cache.acquire(ref('a', 1))
  const fresh = await cache.acquire(ref('a', 2))
  t.not(old.id, fresh.id)
  await settled()
  t.same(held(), ['a', 'a'], 'a stream goes on with what it began with')
  old.release()
  await settled()
  t.same(held(), ['a'])
})

t.test('what could not be loaded is tried again', async (t) => {
  const { cache, fail } = place()
  fail(new Error('torn'))
  await t.rejects(cache.acquire(ref('a')), { message: 'torn' })
  fail(null)
  await t.resolves(cache.acquire(ref('a')))
})
