import t from 'tap'
import { EnginePool, type EngineSource } from '../../src/services/engine-pool.ts'
import type { ModelRuntime } from '../../src/services/runtime-types.ts'
import { fakeLanguageModel } from './fake-runtime.ts'

const source = (key: string): EngineSource => ({ key, dir: `/${key}`, id: key })

/** A pool of fakes that notes what was started and disposed. */
function fakePool(start?: (source: EngineSource) => Promise<void>) {
  const started: string[] = []
  const disposed: string[] = []
  const pool = new EnginePool(async (item): Promise<ModelRuntime> => {
    started.push(item.key)
    await start?.(item)
    return {
      ...fakeLanguageModel(['x'], { info: { id: item.id } }),
      dispose: async () => void disposed.push(item.key),
    }
  })
  return { pool, started, disposed }
}

t.test('holders of the same files share an engine; the last to let go ends it', async (t) => {
  const { pool, started, disposed } = fakePool()
  const [one, two] = await Promise.all([pool.acquire(source('a')), pool.acquire(source('a'))])
  t.equal(one.engine, two.engine)
  t.same(started, ['a'])
  one.release()
  one.release()
  t.same(disposed, [], 'letting go twice counts once')
  const request = one.engine.hold()
  two.release()
  t.same(disposed, [])
  request?.()
  t.same(disposed, ['a'])
  t.equal(one.engine.hold(), null)
})

t.test('what was put away is loaded anew', async (t) => {
  const { pool, started } = fakePool()
  ;(await pool.acquire(source('a'))).release()
  await pool.acquire(source('a'))
  t.same(started, ['a', 'a'])
})

t.test('a failed load is told to all who wait, and tried again by the next', async (t) => {
  let isBroken = true
  const { pool, started } = fakePool(async () => {
    if (isBroken) throw new Error('no memory')
  })
  await Promise.all([1, 2].map(() => t.rejects(pool.acquire(source('a')), /no memory/)))
  t.same(started, ['a'])
  isBroken = false
  t.equal((await pool.acquire(source('a'))).engine.runtime.info.id, 'a')
})

t.test('closing ends what is loaded and what is still loading, each once', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { pool, disposed } = fakePool(({ key }) => (key === 'slow' ? gate.promise : Promise.resolve())) // prettier-ignore
  const held = await pool.acquire(source('held'))
  const slow = pool.acquire(source('slow'))
  const closed = pool.close()
  gate.resolve()
  ;(await slow).release()
  await closed
  held.release()
  t.same(disposed.toSorted(), ['held', 'slow'])
})
